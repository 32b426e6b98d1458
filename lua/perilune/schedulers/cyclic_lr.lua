--- schedulers.CyclicLR: up and down between two values; momentum goes the other way.
-- Source: Smith, Cyclical learning rates for training neural networks (2017).

local class = require "perilune.class"
local cycled_momentum = require "perilune.schedulers.cycled_momentum"
local StatefulSchedulerBase = require "perilune.schedulers.stateful_scheduler_base"

local CyclicLR = class("CyclicLR", StatefulSchedulerBase)
CyclicLR.options = {
  { "base_lr", type = { "number", "list" }, required = true, doc = "the bottom" },
  { "max_lr", type = { "number", "list" }, required = true, doc = "the top of the first cycle" },
  { "step_size_up", 2000, min = 1, doc = "updates from bottom to top" },
  { "step_size_down", type = "number", min = 1, doc = "updates back; as many when not given" },
  { "mode", "triangular", choices = { "triangular", "triangular2", "exp_range" },
    doc = "tops stay, halve with every cycle, or shrink by gamma with every update" },
  { "gamma", 1, doc = "factor of an update in mode exp_range" },
  { "scale_fn", type = "callable", doc = "function(x) -> factor of the top, instead of a mode" },
  { "scale_mode", "cycle", choices = { "cycle", "iterations" }, doc = "what x counts" },
  { "cycle_momentum", true, doc = "let momentum go the other way" },
  { "base_momentum", 0.8, type = { "number", "list" }, doc = "momentum at the top" },
  { "max_momentum", 0.9, type = { "number", "list" }, doc = "momentum at the bottom" },
}

function CyclicLR:init(o)
  o = CyclicLR:check(o)
  StatefulSchedulerBase.init(self, o)
  self.base_lr = cycled_momentum.per_group(self, "base_lr", o.base_lr)
  self.max_lr = cycled_momentum.per_group(self, "max_lr", o.max_lr)
  self.up, self.length = o.step_size_up, o.step_size_up + (o.step_size_down or o.step_size_up)
  self.mode, self.gamma, self.scale_fn = o.mode, o.gamma, o.scale_fn or nil
  self.counts_updates = o.scale_mode == "iterations"
  if not o.scale_fn then self.counts_updates = o.mode == "exp_range" end
  if o.cycle_momentum then
    cycled_momentum.check(self)
    self.base_momentum = cycled_momentum.per_group(self, "base_momentum", o.base_momentum)
    self.max_momentum = cycled_momentum.per_group(self, "max_momentum", o.max_momentum)
  end
  self:step_update(0)
end

local function scale_of(self, x)
  if self.scale_fn then return self.scale_fn(x) end
  if self.mode == "triangular2" then return 1 / 2 ^ (x - 1) end
  return self.mode == "exp_range" and self.gamma ^ x or 1
end

--- The share of the way from bottom to top, shrunk as the mode says.
local function height(self, n)
  local cycle = math.floor(1 + n / self.length)
  local x, ratio = 1 + n / self.length - cycle, self.up / self.length
  local share = x <= ratio and x / ratio or (x - 1) / (ratio - 1)
  return share * scale_of(self, self.counts_updates and n or cycle)
end

function CyclicLR:get_updated_values(n)
  local values, share = {}, height(self, n)
  for i, base in ipairs(self.base_lr) do values[i] = base + (self.max_lr[i] - base) * share end
  return values
end

function CyclicLR:step_update(n)
  StatefulSchedulerBase.step_update(self, n)
  if not self.base_momentum then return end
  local share = height(self, n)
  for i, group in ipairs(self.optimizer.param_groups) do
    local top = self.max_momentum[i]
    cycled_momentum.set(group, top - (top - self.base_momentum[i]) * share)
  end
end

return CyclicLR
