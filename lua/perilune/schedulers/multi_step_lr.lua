--- schedulers.MultiStepLR: the value times gamma at each of several updates.

local class = require "perilune.class"
local FactorScheduler = require "perilune.schedulers.factor_scheduler"

local MultiStepLR = class("MultiStepLR", FactorScheduler)
MultiStepLR.options = {
  { "milestones", type = "list", required = true, doc = "after how many updates the value drops" },
  { "gamma", 0.1, doc = "factor at each milestone" },
}

function MultiStepLR:init(o)
  FactorScheduler.init(self, MultiStepLR:check(o))
end

function MultiStepLR:factor(n)
  local passed = 0
  for _, milestone in ipairs(self.milestones) do
    if milestone <= n then passed = passed + 1 end
  end
  return self.gamma ^ passed
end

return MultiStepLR
