--- What Sequential and ModuleList share: children numbered "1".."n", reached as container[i].
-- Names given by the user stay; numbers follow the position when children come and go.

local class = require "perilune.class"
local check = require "perilune.check"
local errors = require "perilune.errors"
local Module = require "perilune.nn.module"

local Container = class("Container", Module)

--- The children as an array; valid until they change, not to be modified.
local function list_of(container)
  local derived = container:derived()
  if not derived.list then derived.list = container:children() end
  return derived.list
end

function Container.__index(self, key)
  if type(key) == "number" then return list_of(self)[key] end
  return Module.__index(self, key)
end

function Container.__newindex(self, key, value)
  if type(key) == "number" then return self:set(key, value) end
  return Module.__newindex(self, key, value)
end

local function refuse_keys(container, t)
  for key in pairs(t) do
    if type(key) ~= "number" or key < 1 or key > #t or key % 1 ~= 0 then
      local name = class.name_of(container)
      errors.raise("argument", type(key) == "string"
        and ("%s: a keyed table has no order ('%s'); write nn.%s{ { \"%s\", module }, ... }")
          :format(name, key, name, key)
        or ("%s: the list of modules has a hole before position %s"):format(name, tostring(key)))
    end
  end
end

local function check_module(container, position, value)
  if class.is_instance(value, Module) then return value end
  errors.raise("argument", ("%s: item %s must be a module or { \"name\", module }, got %s%s")
    :format(class.name_of(container), tostring(position), check.describe(value),
      class.is_class(value) and " (call it to make an instance)" or ""))
end

local function is_pair(value)
  return type(value) == "table" and getmetatable(value) == nil
end

--- Add what a constructor was given: modules or { "name", module } pairs, as a list or arguments.
function Container:fill(...)
  local items, n = { ... }, select("#", ...)
  if n == 1 and is_pair(items[1]) and type(items[1][1]) ~= "string" then
    items = items[1]
    refuse_keys(self, items)
    n = #items
  end
  for i = 1, n do
    local item = items[i]
    if is_pair(item) and type(item[1]) == "string" then
      self:add_named(item[1], check_module(self, i, item[2]))
    else
      self:append(check_module(self, i, item))
    end
  end
end

--- Append a child under a name of its own.
function Container:add_named(name, module)
  local store = rawget(self, "_store")
  if store and store.values[name] ~= nil then
    errors.raise("argument", ("%s: the name '%s' is given twice"):format(class.name_of(self), name))
  end
  self[name] = module
end

--- How many children there are.
function Container:size()
  return #list_of(self)
end

--- Iterate in order: for i, module in container:iterate() do.
function Container:iterate()
  return ipairs(list_of(self))
end

--- Rebuild the store from names and modules; numeric names become positions again.
local function rebuild(container, names, modules)
  local store = rawget(container, "_store")
  for _, name in ipairs(names) do store:remove(name) end
  for i, name in ipairs(names) do
    if tonumber(name) then name = tostring(i) end
    store:set(name, modules[i], "module")
  end
  rawset(container, "_derived", nil)
end

local function names_and_modules(container)
  local names, modules = {}, {}
  for name, module in container:named_children() do
    names[#names + 1], modules[#modules + 1] = name, module
  end
  return names, modules
end

local function check_position(container, method, i, last)
  check.value(class.name_of(container) .. ":" .. method, "position", i,
    { type = "integer", min = 1, max = last })
end

--- Append a module at the end.
-- @return the container
function Container:append(module)
  check_module(self, self:size() + 1, module)
  self[tostring(self:size() + 1)] = module
  return self
end

--- Insert a module before position i.
-- @return the container
function Container:insert(i, module)
  check_position(self, "insert", i, self:size() + 1)
  check_module(self, i, module)
  self:append(module)
  local names, modules = names_and_modules(self)
  table.insert(names, i, table.remove(names))
  table.insert(modules, i, table.remove(modules))
  rebuild(self, names, modules)
  return self
end

--- Remove the module at position i.
-- @return the module removed
function Container:remove(i)
  check_position(self, "remove", i, self:size())
  local names, modules = names_and_modules(self)
  local name = table.remove(names, i)
  local module = table.remove(modules, i)
  self[name] = nil
  rebuild(self, names, modules)
  return module
end

--- container[i] = module: replace in place, append at size + 1, remove with nil.
function Container:set(i, module)
  if module == nil then return self:remove(i) end
  check_position(self, "set", i, self:size() + 1)
  check_module(self, i, module)
  local names = names_and_modules(self)
  self[names[i] or tostring(i)] = module
end

--- get(i) is container[i]; get("2.weight") follows a path as for every module.
function Container:get(path)
  if type(path) == "number" then return self[path] end
  return Module.get(self, path)
end

return Container
