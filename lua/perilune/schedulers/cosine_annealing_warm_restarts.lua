--- schedulers.CosineAnnealingWarmRestarts: half a cosine down to eta_min, then from the top again,
-- each time T_mult as long.
-- Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts (2017).

local class = require "perilune.class"
local StatefulSchedulerBase = require "perilune.schedulers.stateful_scheduler_base"

local CosineAnnealingWarmRestarts = class("CosineAnnealingWarmRestarts", StatefulSchedulerBase)
CosineAnnealingWarmRestarts.options = {
  { "T_0", type = "integer", min = 1, required = true, doc = "updates until the first restart" },
  { "T_mult", 1, type = "integer", min = 1, doc = "how much longer each round is" },
  { "eta_min", 0, doc = "the smallest value" },
}

function CosineAnnealingWarmRestarts:init(o)
  o = CosineAnnealingWarmRestarts:check(o)
  StatefulSchedulerBase.init(self, o)
  self.T_0, self.T_mult, self.eta_min = o.T_0, o.T_mult, o.eta_min
  self:step_update(0)
end

--- How far into its round an update is, and how long the round.
local function place(self, n)
  local length = self.T_0
  if self.T_mult == 1 then return n % length, length end
  while n >= length do
    n, length = n - length, length * self.T_mult
  end
  return n, length
end

function CosineAnnealingWarmRestarts:get_updated_values(n)
  local at, length = place(self, n)
  local values, share = self:base_values(), (1 + math.cos(math.pi * at / length)) / 2
  for i, value in ipairs(values) do values[i] = self.eta_min + (value - self.eta_min) * share end
  return values
end

return CosineAnnealingWarmRestarts
