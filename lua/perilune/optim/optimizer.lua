--- The base of all optimizers: parameter groups, their hyper-parameters, state per parameter.
-- A subclass declares its hyper-parameters in `options` (each may be set per group, and changed
-- between steps by plain assignment: optimizer.param_groups[1].lr = 0.01) and defines
-- `check_group(label, group)` and `step_group(group, params, grads, cache)`, which runs without
-- recording and gets the group's parameters that have a gradient and a table to keep things in.

local class = require "perilune.class"
local check = require "perilune.check"
local context = require "perilune.context"
local errors = require "perilune.errors"
local tensor = require "perilune.tensor"

local is_tensor = tensor.is_tensor

local Optimizer = class("Optimizer")
Optimizer.options = {
  { "params", type = "list", required = true,
    doc = "a list of tensors, or of groups { params = {...}, lr = ... }" },
}

local function hyper_entries(optimizer)
  local entries = {}
  for _, entry in ipairs(check.merged(getmetatable(optimizer))) do
    if entry.name ~= "params" then entries[#entries + 1] = entry end
  end
  return entries
end

local function is_group(item)
  return type(item) == "table" and getmetatable(item) == nil
end

function Optimizer:init(o)
  o = Optimizer:check(o)
  self.defaults, self.param_groups, self.state = {}, {}, {}
  self.owners, self.caches = {}, {}
  for _, entry in ipairs(hyper_entries(self)) do self.defaults[entry.name] = o[entry.name] end
  if #o.params == 0 then
    errors.raise("argument", ("%s: got an empty list of parameters (model:parameters() of a model"
      .. " without any?)"):format(self.name), { argument = "params" })
  end
  if not is_group(o.params[1]) then return self:add_param_group { params = o.params } end
  for _, group in ipairs(o.params) do self:add_param_group(group) end
end

--- What steps of a group find again: lists that are filled anew, and what the optimizer adds.
local function new_cache()
  return { params = {}, grads = {}, count = 0 }
end

local function check_parameter(self, label, p, i)
  if not is_tensor(p) then
    errors.raise("argument", ("%s: parameter %d must be a tensor, got %s"):format(label, i,
      check.describe(p)), { argument = "params" })
  end
  if not p.is_leaf then
    errors.raise("argument", ("%s: parameter %d (%s) is not a leaf: it was computed from others;"
      .. " optimise those, or nn.Parameter(tensor:detach())"):format(label, i,
      table.concat(p.shape, "x")), { argument = "params" })
  end
  if self.owners[p] then
    errors.raise("argument", ("%s: parameter %d (%s) is given twice, also as parameter %d of group"
      .. " %d"):format(label, i, table.concat(p.shape, "x"), self.owners[p][2],
      self.owners[p][1]), { argument = "params" })
  end
end

--- Fill a group's missing hyper-parameters with the defaults and check the rest.
local function checked_group(self, label, group)
  local entries = hyper_entries(self)
  local schema = { { "params", type = "list", required = true } }
  for i, entry in ipairs(entries) do
    local copy = {}
    for key, value in pairs(entry) do copy[key] = value end
    copy[1], copy[2] = entry.name, self.defaults[entry.name]
    schema[i + 1] = copy
  end
  local given = group.params and group or { params = group }
  return check.call(schema, label, given)
end

--- Add parameters with hyper-parameters of their own (unfreezing a layer, a new head).
-- @param group { params = list of tensors, lr = ... }; what is not given is as at construction
function Optimizer:add_param_group(group)
  local position = #self.param_groups + 1
  local label = position == 1 and self.name or ("%s: group %d"):format(self.name, position)
  check.value(label, "group", group, { type = "table" })
  group = checked_group(self, label, group)
  if #group.params == 0 then
    errors.raise("argument", label .. ": got an empty list of parameters", { argument = "params" })
  end
  self:check_group(label, group)
  local params = {}
  for i, p in ipairs(group.params) do
    check_parameter(self, label, p, i)
    self.owners[p] = { position, i }
    params[i] = p
  end
  group.params = params
  self.param_groups[position], self.caches[position] = group, new_cache()
end

--- Refuse hyper-parameters that do not go together; called for every new group.
function Optimizer.check_group() end

--- Update the parameters of one group that have gradients; every optimizer defines it.
function Optimizer:step_group()
  errors.raise("user", ("%s has no step_group: define %s:step_group(group, params, grads)")
    :format(self.name, self.name))
end

local function truncate(list, from, last)
  for i = from, last do list[i] = nil end
end

local function step_all(self)
  local groups = self.param_groups
  for g = 1, #groups do
    local group = groups[g]
    local cache, n = self.caches[g], 0
    local all, params, grads = group.params, cache.params, cache.grads
    for i = 1, #all do
      local grad = all[i].grad
      if grad then
        n = n + 1
        params[n], grads[n] = all[i], grad
      end
    end
    truncate(params, n + 1, cache.count)
    truncate(grads, n + 1, cache.count)
    cache.count = n
    if n > 0 then self:step_group(group, params, grads, cache) end
    truncate(grads, 1, n)
  end
end

--- One update of all parameters that have a gradient.
-- @param closure optional function that computes the loss again, gradients included
-- @return what closure returned
function Optimizer:step(closure)
  local loss
  if closure then loss = context.enable_grad(closure) end
  context.no_grad(step_all, self)
  return loss
end

--- Drop the gradients.
-- @param options { set_to_none = true }: false fills them with zeros instead
function Optimizer:zero_grad(options)
  local to_zero = options and not check.call({ { "set_to_none", true } }, "zero_grad",
    options).set_to_none
  local groups = self.param_groups
  for g = 1, #groups do
    local params = groups[g].params
    for i = 1, #params do
      if to_zero then
        local grad = params[i].grad
        if grad then context.no_grad(grad.zero_, grad) end
      else
        params[i].grad = nil
      end
    end
  end
end

--- The state of a parameter, a table of its own.
function Optimizer:state_of(p)
  local state = self.state[p]
  if not state then
    state = {}
    self.state[p] = state
  end
  return state
end

--- A group without its parameters: hyper-parameters, and what schedulers wrote beside them.
local function copied_group(group)
  local copy = {}
  for name, value in pairs(group) do
    if name ~= "params" then copy[name] = type(value) == "table" and { unpack(value) } or value end
  end
  copy.params = {}
  return copy
end

--- Everything needed to go on.
-- @return { state = { [i] = { name = tensor or number } }, param_groups = { { lr =, ...,
--   params = { positions } } } }; positions count all parameters of all groups from 1
function Optimizer:state_dict()
  local dict, position = { state = {}, param_groups = {} }, 0
  for g, group in ipairs(self.param_groups) do
    local saved = copied_group(group)
    for i, p in ipairs(group.params) do
      position = position + 1
      saved.params[i] = position
      dict.state[position] = self.state[p]
    end
    dict.param_groups[g] = saved
  end
  return dict
end

local function check_fit(self, dict)
  check.call({ { "state", type = "table", required = true },
    { "param_groups", type = "table", required = true } }, self.name .. ": state", dict)
  if #dict.param_groups ~= #self.param_groups then
    errors.raise("argument", ("%s: the state has %d parameter groups, here are %d"):format(
      self.name, #dict.param_groups, #self.param_groups))
  end
  for g, group in ipairs(self.param_groups) do
    local n = #dict.param_groups[g].params
    if n ~= #group.params then
      errors.raise("argument", ("%s: group %d of the state has %d parameters, here are %d")
        :format(self.name, g, n, #group.params))
    end
  end
end

local function copied(state, device)
  local copy = {}
  for name, value in pairs(state) do
    copy[name] = is_tensor(value) and value:detach():to(device):clone():keep() or value
  end
  return copy
end

--- Take over a state; group by group and parameter by parameter in order. Copies go to the devices
-- where the parameters are.
function Optimizer:load_state_dict(dict)
  check_fit(self, dict)
  for g, group in ipairs(self.param_groups) do
    local saved = dict.param_groups[g]
    for name, value in pairs(copied_group(saved)) do
      local known = self.defaults[name] ~= nil or name:find("^initial_")
      if known then group[name] = value end
    end
    for i, p in ipairs(group.params) do
      local state = dict.state[saved.params[i]]
      self.state[p] = state and copied(state, p.device) or nil
    end
    self.caches[g] = new_cache()
  end
end

function Optimizer:__tostring()
  local lines = { self.name .. " (" }
  for g, group in ipairs(self.param_groups) do
    lines[#lines + 1] = ("Parameter Group %d"):format(g)
    for _, entry in ipairs(hyper_entries(self)) do
      lines[#lines + 1] = ("    %s: %s"):format(entry.name, tostring(group[entry.name]))
    end
  end
  lines[#lines + 1] = ")"
  return table.concat(lines, "\n")
end

return Optimizer
