--- schedulers.LinearLR: the value's factor moves in a straight line over total_iters updates.

local class = require "perilune.class"
local FactorScheduler = require "perilune.schedulers.factor_scheduler"

local LinearLR = class("LinearLR", FactorScheduler)
LinearLR.options = {
  { "start_factor", 1 / 3, min = 0, max = 1, doc = "of the first update" },
  { "end_factor", 1, min = 0, max = 1, doc = "after the last" },
  { "total_iters", 5, type = "integer", min = 1, doc = "updates from one to the other" },
}

function LinearLR:init(o)
  FactorScheduler.init(self, LinearLR:check(o))
end

function LinearLR:factor(n)
  local share = math.min(n, self.total_iters) / self.total_iters
  return self.start_factor + (self.end_factor - self.start_factor) * share
end

return LinearLR
