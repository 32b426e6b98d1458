--- schedulers.CosineAnnealingLR: down to eta_min and up again on a cosine of half-period T_max.
-- Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts (2017).

local class = require "perilune.class"
local placeholders = require "perilune.schedulers.placeholders"
local StatefulSchedulerBase = require "perilune.schedulers.stateful_scheduler_base"

local CosineAnnealingLR = class("CosineAnnealingLR", StatefulSchedulerBase)
CosineAnnealingLR.options = {
  { "T_max", type = "number", min = 1, required = true, doc = "updates from the top to eta_min" },
  { "eta_min", 0, doc = "the smallest value" },
}
CosineAnnealingLR.placeholders = { T_max = placeholders.total_updates }

function CosineAnnealingLR:init(o)
  o = CosineAnnealingLR:check(o)
  StatefulSchedulerBase.init(self, o)
  self.T_max, self.eta_min = o.T_max, o.eta_min
  self:step_update(0)
end

function CosineAnnealingLR:get_updated_values(n)
  local values, share = self:base_values(), (1 + math.cos(math.pi * n / self.T_max)) / 2
  for i, value in ipairs(values) do values[i] = self.eta_min + (value - self.eta_min) * share end
  return values
end

return CosineAnnealingLR
