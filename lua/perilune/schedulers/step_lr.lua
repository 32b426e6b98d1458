--- schedulers.StepLR: the value times gamma every step_size updates.

local class = require "perilune.class"
local FactorScheduler = require "perilune.schedulers.factor_scheduler"

local StepLR = class("StepLR", FactorScheduler)
StepLR.options = {
  { "step_size", type = "integer", min = 1, required = true, doc = "updates of one stair" },
  { "gamma", 0.1, doc = "factor from stair to stair" },
}

function StepLR:init(o)
  FactorScheduler.init(self, StepLR:check(o))
end

function StepLR:factor(n)
  return self.gamma ^ math.floor(n / self.step_size)
end

return StepLR
