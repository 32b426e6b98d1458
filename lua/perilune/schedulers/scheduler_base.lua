--- The base of all schedulers: a function of the number of optimizer updates made so far, written
-- into one field of the optimizer's parameter groups. Update n + 1 runs with the values of n, so a
-- scheduler that ends its init with `self:step_update(0)` covers the first update too. The value a
-- group began with stays in the group as initial_<field>, and is saved there by the optimizer.

local class = require "perilune.class"
local check = require "perilune.check"
local errors = require "perilune.errors"
local suggest = require "perilune.suggest"

local SchedulerBase = class("SchedulerBase")
SchedulerBase.options = {
  { "optimizer", type = "table", required = true, doc = "whose parameter groups are written to" },
  { "param_group_field", "lr", named = true,
    doc = "the field of the groups that follows the schedule" },
}

local function check_optimizer(self, optimizer)
  if type(optimizer.param_groups) == "table" then return end
  errors.raise("argument", ("%s: 'optimizer' must have parameter groups, got %s"):format(self.name,
    check.describe(optimizer)), { argument = "optimizer" })
end

local function initial_value(self, group, position)
  local field = self.param_group_field
  local initial = "initial_" .. field
  if group[initial] == nil then
    if type(group[field]) ~= "number" then
      errors.raise("argument", ("%s: group %d of %s has no number '%s'%s"):format(self.name,
        position, class.name_of(self.optimizer), field, suggest.hint(field, suggest.keys(group))),
        { argument = "param_group_field" })
    end
    group[initial] = group[field]
  end
  return group[initial]
end

--- @param o the checked options, or the optimizer
-- @param param_group_field a subclass with an init of its own may give it by position
function SchedulerBase:init(o, param_group_field)
  if param_group_field then o = { optimizer = o, param_group_field = param_group_field } end
  o = SchedulerBase:check(o)
  check_optimizer(self, o.optimizer)
  self.optimizer, self.param_group_field = o.optimizer, o.param_group_field
  self.num_updates = 0
  self:base_values()
end

--- The value each group began with, in order; a group that was added later began with what it had
-- at its first step.
-- @return list of numbers
function SchedulerBase:base_values()
  local values = {}
  for i, group in ipairs(self.optimizer.param_groups) do
    values[i] = initial_value(self, group, i)
  end
  return values
end

--- The values after a number of updates; every scheduler defines it.
-- @param num_updates optimizer updates made so far, from 0
-- @return a number for all groups, a list with one for each, or nil to leave them as they are
function SchedulerBase:get_updated_values(num_updates) -- luacheck: ignore
  errors.raise("user", ("%s has no get_updated_values: define %s:get_updated_values(num_updates)")
    :format(self.name, self.name))
end

--- Write values into the groups.
-- @param values as get_updated_values answers
-- @param field another field than the scheduled one
function SchedulerBase:set_values(values, field)
  local groups = self.optimizer.param_groups
  field = field or self.param_group_field
  if type(values) == "table" and #values ~= #groups then
    errors.raise("argument", ("%s: got %d values for %d parameter groups"):format(self.name,
      #values, #groups))
  end
  for i, group in ipairs(groups) do
    group[field] = type(values) == "table" and values[i] or values
  end
end

--- Say how many updates have been made, and write the values that follow.
function SchedulerBase:step_update(num_updates)
  local values = self:get_updated_values(num_updates)
  if values ~= nil then self:set_values(values) end
  self.num_updates = num_updates
end

--- The values now in the groups.
function SchedulerBase:get_last_lr()
  local values, field = {}, self.param_group_field
  for i, group in ipairs(self.optimizer.param_groups) do values[i] = group[field] end
  return values
end

local function is_data(value)
  local kind = type(value)
  if kind ~= "table" then return kind == "number" or kind == "string" or kind == "boolean" end
  if getmetatable(value) then return false end
  for _, item in pairs(value) do
    if not is_data(item) then return false end
  end
  return true
end

local function copy(value)
  if type(value) ~= "table" then return value end
  local out = {}
  for key, item in pairs(value) do out[key] = copy(item) end
  return out
end

--- Everything needed to go on but the optimizer and functions: the count and the settings.
-- @return table of numbers, strings, booleans and tables of these
function SchedulerBase:state_dict()
  local state = {}
  for key, value in pairs(self) do
    if key ~= "optimizer" and is_data(value) then state[key] = copy(value) end
  end
  return state
end

local function refuse_difference(self, own, state)
  local lost, unknown = {}, {}
  for key in pairs(own) do
    if state[key] == nil then lost[#lost + 1] = tostring(key) end
  end
  for key in pairs(state) do
    if own[key] == nil then unknown[#unknown + 1] = tostring(key) end
  end
  if #lost + #unknown == 0 then return end
  table.sort(lost)
  table.sort(unknown)
  local text = #lost > 0 and "the state lacks '" .. table.concat(lost, "', '") .. "'"
    or "the state has '" .. table.concat(unknown, "', '") .. "', unknown here"
  errors.raise("argument", self.name .. ": " .. text)
end

--- Take over a state. The optimizer's own state holds the values of the groups.
function SchedulerBase:load_state_dict(state)
  check.value(self.name .. ":load_state_dict", "state", state, { type = "table" })
  refuse_difference(self, SchedulerBase.state_dict(self), state)
  for key, value in pairs(state) do self[key] = copy(value) end
end

--- A function for trainer:train{ create_scheduler_fn = ... } that makes a scheduler of this class
-- when the length of the run is known: `StepLR:create_scheduler_fn{ step_size = 100 }`.
-- @param options the constructor's without the optimizer; where a function stands for a number or a
--   list, it is called with the run config (schedulers.placeholders has the usual ones). What the
--   class lists in `placeholders` is filled in when it is not given.
-- @return function(optimizer, run_config) -> scheduler
function SchedulerBase:create_scheduler_fn(options)
  if not class.is_class(self) then
    errors.raise("argument",
      "create_scheduler_fn: call it with a colon, Class:create_scheduler_fn{ option = value }")
  end
  local given = options or {}
  check.value(self.name .. ":create_scheduler_fn", "options", given, { type = "table" })
  return function(optimizer, run)
    local resolved = self:resolve_options(given, run)
    resolved.optimizer = optimizer
    return self(resolved)
  end
end

local function takes_functions(entry)
  for _, kind in ipairs(type(entry.type) == "table" and entry.type or { entry.type }) do
    if kind == "callable" or kind == "function" or kind == "any" then return true end
  end
  return false
end

--- The options of create_scheduler_fn with every placeholder called; a method of the class.
-- @param given the options as the user wrote them
-- @param run the run config
-- @return a new table
function SchedulerBase:resolve_options(given, run)
  local out = {}
  for name, value in pairs(self.placeholders or {}) do out[name] = value end
  for name, value in pairs(given) do out[name] = value end
  for _, entry in ipairs(check.merged(self)) do
    local value = out[entry.name]
    if type(value) == "function" and not takes_functions(entry) then
      out[entry.name] = value(run)
    end
  end
  return out
end

return SchedulerBase
