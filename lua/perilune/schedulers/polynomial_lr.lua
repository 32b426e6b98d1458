--- schedulers.PolynomialLR: the value falls to 0 over total_iters updates, as a power of the share
-- that is left.

local class = require "perilune.class"
local FactorScheduler = require "perilune.schedulers.factor_scheduler"

local PolynomialLR = class("PolynomialLR", FactorScheduler)
PolynomialLR.options = {
  { "total_iters", 5, type = "integer", min = 1, doc = "updates until 0" },
  { "power", 1, doc = "of the share that is left" },
}

function PolynomialLR:init(o)
  FactorScheduler.init(self, PolynomialLR:check(o))
end

function PolynomialLR:factor(n)
  return (1 - math.min(n, self.total_iters) / self.total_iters) ^ self.power
end

return PolynomialLR
