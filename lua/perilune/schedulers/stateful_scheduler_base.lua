--- The base of schedulers that count the updates themselves: `scheduler:step()` after each update.

local class = require "perilune.class"
local SchedulerBase = require "perilune.schedulers.scheduler_base"

local StatefulSchedulerBase = class("StatefulSchedulerBase", SchedulerBase)

--- One more update has been made.
function StatefulSchedulerBase:step()
  self:step_update(self.num_updates + 1)
end

return StatefulSchedulerBase
