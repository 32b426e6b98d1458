--- The base of schedulers that multiply the initial values by a factor of the number of updates: a
-- subclass defines `factor(num_updates, group)`.

local class = require "perilune.class"
local StatefulSchedulerBase = require "perilune.schedulers.stateful_scheduler_base"

local FactorScheduler = class("FactorScheduler", StatefulSchedulerBase)

--- Keep the options as fields of their names and set the values of the first update.
function FactorScheduler:init(o)
  StatefulSchedulerBase.init(self, o)
  for name, value in pairs(o) do self[name] = value end
  self:step_update(0)
end

function FactorScheduler:get_updated_values(num_updates)
  local values = self:base_values()
  for i, value in ipairs(values) do values[i] = value * self:factor(num_updates, i) end
  return values
end

return FactorScheduler
