--- The base of schedulers made of others that all write the same field of one optimizer. The parts
-- only answer values; the whole writes them.

local class = require "perilune.class"
local check = require "perilune.check"
local errors = require "perilune.errors"
local SchedulerBase = require "perilune.schedulers.scheduler_base"
local StatefulSchedulerBase = require "perilune.schedulers.stateful_scheduler_base"

local CombinedScheduler = class("CombinedScheduler", StatefulSchedulerBase)

local function check_part(self, part, i)
  if not class.is_instance(part, SchedulerBase) or part.step_epoch then
    errors.raise("argument", ("%s: scheduler %d must be one that follows the number of updates, got"
      .. " %s"):format(self.name, i, check.describe(part)), { argument = "schedulers" })
  end
  if part.optimizer ~= self.optimizer or part.param_group_field ~= self.param_group_field then
    errors.raise("argument", ("%s: scheduler %d writes another optimizer's or another field")
      :format(self.name, i), { argument = "schedulers" })
  end
end

--- @param o { optimizer =, schedulers = list, param_group_field = }
function CombinedScheduler:init(o)
  StatefulSchedulerBase.init(self,
    { optimizer = o.optimizer, param_group_field = o.param_group_field })
  if #o.schedulers == 0 then
    errors.raise("argument", self.name .. ": got no schedulers", { argument = "schedulers" })
  end
  for i, part in ipairs(o.schedulers) do check_part(self, part, i) end
  self.schedulers = { unpack(o.schedulers) }
end

--- The values of part i after its own number of updates, as a list.
function CombinedScheduler:values_of(i, num_updates)
  local values = self.schedulers[i]:get_updated_values(num_updates) or self:get_last_lr()
  if type(values) == "table" then return values end
  local list = {}
  for g = 1, #self.optimizer.param_groups do list[g] = values end
  return list
end

--- As of every scheduler, with those of the parts as a list.
function CombinedScheduler:state_dict()
  local state = StatefulSchedulerBase.state_dict(self)
  state.parts = {}
  for i, part in ipairs(self.schedulers) do state.parts[i] = part:state_dict() end
  return state
end

function CombinedScheduler:load_state_dict(state)
  check.value(self.name .. ":load_state_dict", "state", state, { type = "table" })
  local parts, own = state.parts or {}, {}
  if #parts ~= #self.schedulers then
    errors.raise("argument", ("%s: the state has %d schedulers, here are %d"):format(self.name,
      #parts, #self.schedulers))
  end
  for key, value in pairs(state) do
    if key ~= "parts" then own[key] = value end
  end
  StatefulSchedulerBase.load_state_dict(self, own)
  for i, part in ipairs(self.schedulers) do part:load_state_dict(parts[i]) end
end

return CombinedScheduler
