--- nn.ModuleDict: modules by name, in the order given.

local class = require "perilune.class"
local errors = require "perilune.errors"
local Module = require "perilune.nn.module"

local ModuleDict = class("ModuleDict", Module)

local form = "nn.ModuleDict{ { \"name\", module }, ... }"

--- nn.ModuleDict{ { "left", a }, { "right", b } } or nn.ModuleDict().
function ModuleDict:init(items)
  for key in pairs(items or {}) do
    if type(key) ~= "number" then
      errors.raise("argument", ("ModuleDict: a keyed table has no order ('%s'); write %s")
        :format(tostring(key), form))
    end
  end
  for i, item in ipairs(items or {}) do
    if type(item) ~= "table" or type(item[1]) ~= "string" then
      errors.raise("argument", ("ModuleDict: item %d must be a pair; write %s"):format(i, form))
    end
    self:register_module(item[1], item[2])
  end
end

--- Whether there is a module of that name.
function ModuleDict:has(name)
  local store = rawget(self, "_store")
  return store ~= nil and store.kinds[name] == "module"
end

--- How many modules there are.
function ModuleDict:size()
  return #self:children()
end

--- Iterate in order: for name, module in dict:iterate() do.
function ModuleDict:iterate()
  return self:named_children()
end

--- Remove a module by name.
-- @return the module
function ModuleDict:remove(name)
  local module = self:get(name)
  self[name] = nil
  return module
end

return ModuleDict
