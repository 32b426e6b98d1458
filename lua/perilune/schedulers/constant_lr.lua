--- schedulers.ConstantLR: the value times a factor for the first total_iters updates.

local class = require "perilune.class"
local FactorScheduler = require "perilune.schedulers.factor_scheduler"

local ConstantLR = class("ConstantLR", FactorScheduler)
ConstantLR.options = {
  { "factor", 1 / 3, min = 0, max = 1, doc = "of the first updates" },
  { "total_iters", 5, type = "integer", min = 0, doc = "how many updates the factor holds" },
}

function ConstantLR:init(o)
  o = ConstantLR:check(o)
  self.start = o.factor
  self.total_iters = o.total_iters
  FactorScheduler.init(self, { optimizer = o.optimizer, param_group_field = o.param_group_field })
end

function ConstantLR:factor(n)
  return n < self.total_iters and self.start or 1
end

return ConstantLR
