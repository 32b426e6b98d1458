--- schedulers.ExponentialLR: the value times gamma at every update.

local class = require "perilune.class"
local FactorScheduler = require "perilune.schedulers.factor_scheduler"

local ExponentialLR = class("ExponentialLR", FactorScheduler)
ExponentialLR.options = {
  { "gamma", type = "number", required = true, doc = "factor from update to update" },
}

function ExponentialLR:init(o)
  FactorScheduler.init(self, ExponentialLR:check(o))
end

function ExponentialLR:factor(n)
  return self.gamma ^ n
end

return ExponentialLR
