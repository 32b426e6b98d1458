--- nn.Module: the base of all layers and models. Assigning a module, a Parameter or a Buffer to a
-- field registers it in the one ordered store; everything else is a plain field. Reading looks at
-- plain fields, then the store, then the class. A subclass defines init and forward; calling
-- Module.init is not needed.

local class = require "perilune.class"
local check = require "perilune.check"
local errors = require "perilune.errors"
local suggest = require "perilune.suggest"
local tensor = require "perilune.tensor"
local Store = require "perilune.nn.store"
local mark_of = require("perilune.nn.parameter").mark_of

local rawget, rawset, getmetatable, type = rawget, rawset, getmetatable, type
local is_tensor = tensor.is_tensor

local Module = class("Module")

Module.__call = require("perilune.nn.calls").call
Module.training = true

function Module:init() end

local function store_of(module)
  local store = rawget(module, "_store")
  if not store then
    store = Store.new()
    rawset(module, "_store", store)
  end
  return store
end

function Module.__index(self, key)
  local store = rawget(self, "_store")
  if store then
    local value = store.values[key]
    if value ~= nil then return value end
  end
  return getmetatable(self)[key]
end

--- As what a value registers when it is assigned to a field, or nil.
local function kind_of(value)
  if type(value) ~= "table" then return nil end
  if is_tensor(value) then return mark_of(value) end
  return class.is_instance(value, Module) and "module" or nil
end

--- Assign an unmarked value to a registered name: a tensor may take a buffer's place.
local function replace(module, store, name, value)
  local kind = store.kinds[name]
  if is_tensor(value) and (kind == "buffer" or kind == "transient") then
    store:set(name, value:keep(), kind)
    return
  end
  local what = kind == "module" and "module" or kind == "parameter" and "parameter" or "buffer"
  local fix = kind == "parameter" and is_tensor(value) and ": wrap it, nn.Parameter(tensor)" or ""
  errors.raise("argument", ("%s: '%s' is a %s and cannot become %s%s; assign nil first to remove"
    .. " it"):format(class.name_of(module), name, what, check.describe(value), fix),
    { argument = name })
end

function Module.__newindex(self, key, value)
  local kind, store = kind_of(value), rawget(self, "_store")
  local before = store and store.kinds[key]
  if not kind and not before then return rawset(self, key, value) end
  store = store or store_of(self)
  if value == nil then
    store:remove(key)
  elseif kind then
    store:set(key, value, kind)
  else
    replace(self, store, key, value)
  end
  if kind == "module" or before == "module" then rawset(self, "_derived", nil) end
end

--- A table for what a container derives from its children; dropped when they change.
function Module:derived()
  local derived = rawget(self, "_derived")
  if not derived then
    derived = {}
    rawset(self, "_derived", derived)
  end
  return derived
end

--- The store, after plain fields that were overwritten with a module, a Parameter or a Buffer
-- have been moved into it: Lua does not report assignments to fields that exist.
local function settled_store(module)
  local found = {}
  for key, value in pairs(module) do
    if kind_of(value) then found[#found + 1] = key end
  end
  table.sort(found, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(found) do
    local value = rawget(module, key)
    rawset(module, key, nil)
    module[key] = value
  end
  return store_of(module)
end

--- What the module computes; every subclass defines it.
function Module:forward()
  local name = class.name_of(self)
  errors.raise("user", ("%s has no forward: define %s:forward(...)"):format(name, name))
end

--- Register under a name that is not a valid field, or to say it plainly.
-- @param name string without dots
-- @param value a Parameter
function Module:register_parameter(name, value)
  check.value("register_parameter", "name", name, { type = "string" })
  if value ~= nil and kind_of(value) ~= "parameter" then
    errors.raise("argument", ("register_parameter: '%s' must be a Parameter, got %s; wrap it,"
      .. " nn.Parameter(tensor)"):format(name, check.describe(value)), { argument = name })
  end
  self[name] = value
end

--- Register a tensor as part of the state that is not learned.
-- @param name string without dots
-- @param value tensor
-- @param options { persistent = true }
function Module:register_buffer(name, value, options)
  check.value("register_buffer", "name", name, { type = "string" })
  self[name] = require("perilune.nn.parameter").Buffer(value, options)
end

--- Register a child; the same as assigning it to a field.
function Module:register_module(name, value)
  check.value("register_module", "name", name, { type = "string" })
  check.value("register_module", "module", value, { type = Module })
  self[name] = value
end
Module.add_module = Module.register_module

local function walk_modules(module, path, seen, visit)
  if seen[module] then return end
  seen[module] = true
  visit(path, module)
  for name, child in settled_store(module):each("module") do
    walk_modules(child, path == "" and name or path .. "." .. name, seen, visit)
  end
end

--- Iterate over two parallel lists.
local function pairs_of(names, values)
  local i = 0
  return function()
    i = i + 1
    return names[i], values[i]
  end
end

local function collect_modules(module)
  local names, modules = {}, {}
  walk_modules(module, "", {}, function(path, m)
    names[#names + 1], modules[#modules + 1] = path, m
  end)
  return names, modules
end

--- Own tensors of every module in order, each counted once under its first name.
local function collect_tensors(module, kind, second)
  local names, tensors, seen = {}, {}, {}
  walk_modules(module, "", {}, function(path, m)
    for name, t in store_of(m):each(kind, second) do
      if not seen[t] then
        seen[t] = true
        names[#names + 1] = path == "" and name or path .. "." .. name
        tensors[#tensors + 1] = t
      end
    end
  end)
  return names, tensors
end

--- Iterate over the module itself (name "") and all below it, each once.
-- @return iterator of name, module
function Module:named_modules()
  return pairs_of(collect_modules(self))
end

--- List of the module itself and all below it.
function Module:modules()
  local _, modules = collect_modules(self)
  return modules
end

--- Iterate over the direct children in order: name, module.
function Module:named_children()
  return settled_store(self):each("module")
end

--- List of the direct children in order.
function Module:children()
  local list = {}
  for _, child in self:named_children() do list[#list + 1] = child end
  return list
end

--- List of all parameters in order, shared ones once.
function Module:parameters()
  local _, tensors = collect_tensors(self, "parameter")
  return tensors
end

--- Iterate over all parameters in order, shared ones once: name, tensor.
function Module:named_parameters()
  return pairs_of(collect_tensors(self, "parameter"))
end

--- List of all buffers in order, shared ones once.
function Module:buffers()
  local _, tensors = collect_tensors(self, "buffer", "transient")
  return tensors
end

--- Iterate over all buffers in order, shared ones once: name, tensor.
function Module:named_buffers()
  return pairs_of(collect_tensors(self, "buffer", "transient"))
end

--- What a dotted path leads to: get("encoder.1") a module, get("1.weight") a parameter.
function Module:get(path)
  check.value("get", "path", path, { type = "string" })
  local here = self
  for name in path:gmatch("[^.]+") do
    local store = class.is_instance(here, Module) and settled_store(here)
    local value = store and store.values[name]
    if value == nil then
      local hint = store and suggest.hint(name, store.names) or ""
      errors.raise("argument", ("get: %s has no '%s' on the way to '%s'%s")
        :format(class.name_of(here), name, path, hint), { argument = "path" })
    end
    here = value
  end
  return here
end

--- Call fn(module) for everything below and then for the module itself.
-- @return the module
function Module:apply(fn)
  for _, child in self:named_children() do child:apply(fn) end
  fn(self)
  return self
end

--- Switch to training behaviour, or to evaluation with train(false). Modules that a ModelFreezer
-- keeps in evaluation stay there.
function Module:train(mode)
  for _, module in ipairs(self:modules()) do
    rawset(module, "training", mode ~= false and not rawget(module, "_stays_in_eval"))
  end
  return self
end

--- Switch to evaluation behaviour.
function Module:eval()
  return self:train(false)
end

--- Let all parameters require gradients, or not with false.
function Module:requires_grad_(flag)
  for _, p in ipairs(self:parameters()) do p:requires_grad_(flag ~= false) end
  return self
end

--- Drop the gradients of all parameters.
-- @param options { set_to_none = true }: false fills them with zeros instead
function Module:zero_grad(options)
  local o = check.call({ { "set_to_none", true } }, "zero_grad", options)
  for _, p in ipairs(self:parameters()) do
    if o.set_to_none then
      p.grad = nil
    elseif p.grad then
      p.grad:detach():zero_()
    end
  end
end

--- What print shows between the parentheses of a layer.
function Module:extra_repr()
  return ""
end

local function indented(text)
  return (text:gsub("\n", "\n  "))
end

function Module.__tostring(self)
  local lines, extra = {}, self:extra_repr()
  for name, child in self:named_children() do
    lines[#lines + 1] = ("  (%s): %s"):format(name, indented(tostring(child)))
  end
  local name = class.name_of(self)
  if #lines == 0 then return ("%s(%s)"):format(name, extra) end
  if extra ~= "" then table.insert(lines, 1, "  " .. indented(extra)) end
  return ("%s(\n%s\n)"):format(name, table.concat(lines, "\n"))
end

for name, method in pairs(require "perilune.nn.state") do Module[name] = method end

return Module
