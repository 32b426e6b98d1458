--- schedulers.OneCycleLR: up from max_lr / div_factor to max_lr, then down to that start over
-- final_div_factor; momentum goes the other way. Stepped past total_steps it is an error.
-- Source: Smith and Topin, Super-convergence (2017).

local class = require "perilune.class"
local errors = require "perilune.errors"
local cycled_momentum = require "perilune.schedulers.cycled_momentum"
local placeholders = require "perilune.schedulers.placeholders"
local StatefulSchedulerBase = require "perilune.schedulers.stateful_scheduler_base"

local OneCycleLR = class("OneCycleLR", StatefulSchedulerBase)
OneCycleLR.options = {
  { "max_lr", type = { "number", "list" }, required = true, doc = "the top, one for each group" },
  { "total_steps", type = "integer", min = 1, doc = "updates of the cycle" },
  { "epochs", type = "number", min = 0, doc = "with steps_per_epoch instead of total_steps" },
  { "steps_per_epoch", type = "integer", min = 1, doc = "updates of an epoch" },
  { "pct_start", 0.3, min = 0, max = 1, doc = "share of the cycle that goes up" },
  { "anneal_strategy", "cos", choices = { "cos", "linear" }, doc = "the shape of both ways" },
  { "cycle_momentum", true, doc = "let momentum go the other way" },
  { "base_momentum", 0.85, type = { "number", "list" }, doc = "momentum at the top" },
  { "max_momentum", 0.95, type = { "number", "list" }, doc = "momentum at both ends" },
  { "div_factor", 25, min = 0, doc = "max_lr over the first value" },
  { "final_div_factor", 1e4, min = 0, doc = "the first value over the last" },
  { "three_phase", false, doc = "down as long as up, then to the last value" },
}

local function total_of(self, o)
  if o.total_steps then return o.total_steps end
  if o.epochs and o.steps_per_epoch then return math.floor(o.epochs * o.steps_per_epoch + 0.5) end
  errors.raise("argument", self.name .. ": give total_steps, or epochs and steps_per_epoch",
    { argument = "total_steps" })
end

-- Values are named by what they are of a group: initial, top and last; momentum: base and top.
local function phases_of(o, total)
  if o.three_phase then
    return {
      { last = o.pct_start * total - 1, from = "initial", to = "top", fall = true },
      { last = 2 * o.pct_start * total - 2, from = "top", to = "initial", rise = true },
      { last = total - 1, from = "initial", to = "last" },
    }
  end
  return {
    { last = o.pct_start * total - 1, from = "initial", to = "top", fall = true },
    { last = total - 1, from = "top", to = "last", rise = true },
  }
end

function OneCycleLR:init(o)
  o = OneCycleLR:check(o)
  StatefulSchedulerBase.init(self, o)
  self.total_steps, self.linear = total_of(self, o), o.anneal_strategy == "linear"
  self.phases = phases_of(o, self.total_steps)
  self.top = cycled_momentum.per_group(self, "max_lr", o.max_lr)
  self.initial, self.last = {}, {}
  for i, top in ipairs(self.top) do
    self.initial[i] = top / o.div_factor
    self.last[i] = self.initial[i] / o.final_div_factor
  end
  if o.cycle_momentum then
    cycled_momentum.check(self)
    self.base_momentum = cycled_momentum.per_group(self, "base_momentum", o.base_momentum)
    self.max_momentum = cycled_momentum.per_group(self, "max_momentum", o.max_momentum)
  end
  self:step_update(0)
end

local function phase_at(self, n)
  local start = 0
  for i, phase in ipairs(self.phases) do
    if n <= phase.last or i == #self.phases then
      return phase, (n - start) / (phase.last - start)
    end
    start = phase.last
  end
end

local function between(self, from, to, share)
  if self.linear then return from + (to - from) * share end
  return to + (from - to) / 2 * (1 + math.cos(math.pi * share))
end

function OneCycleLR:get_updated_values(n)
  if n > self.total_steps then
    errors.raise("user", ("%s: update %d is past the %d of total_steps"):format(self.name, n,
      self.total_steps))
  end
  local phase, share = phase_at(self, n)
  local values, from, to = {}, self[phase.from], self[phase.to]
  for i = 1, #from do values[i] = between(self, from[i], to[i], share) end
  return values
end

function OneCycleLR:step_update(n)
  StatefulSchedulerBase.step_update(self, n)
  if not self.base_momentum then return end
  local phase, share = phase_at(self, n)
  local from = phase.rise and self.base_momentum or self.max_momentum
  local to = phase.fall and self.base_momentum or self.max_momentum
  for i, group in ipairs(self.optimizer.param_groups) do
    cycled_momentum.set(group, between(self, from[i], to[i], share))
  end
end

--- As of every scheduler; the run's length stands for total_steps unless a length is given.
function OneCycleLR:resolve_options(given, run)
  local out = StatefulSchedulerBase.resolve_options(self, given, run)
  if not (out.total_steps or out.epochs) then out.total_steps = placeholders.total_updates(run) end
  return out
end

return OneCycleLR
