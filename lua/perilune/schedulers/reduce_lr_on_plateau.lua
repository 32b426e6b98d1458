--- schedulers.ReduceLROnPlateau: the value times factor when a metric has stopped to improve. Not a
-- function of updates: it moves when it is shown a metric, which the Trainer does after each epoch.

local class = require "perilune.class"
local check = require "perilune.check"
local cycled_momentum = require "perilune.schedulers.cycled_momentum"
local StatefulSchedulerBase = require "perilune.schedulers.stateful_scheduler_base"

local ReduceLROnPlateau = class("ReduceLROnPlateau", StatefulSchedulerBase)
ReduceLROnPlateau.options = {
  { "mode", "min", choices = { "min", "max" }, doc = "whether less or more is better" },
  { "factor", 0.1, min = 0, max = 1, doc = "of a reduction" },
  { "patience", 10, type = "integer", min = 0, doc = "metrics in a row that may be no better" },
  { "threshold", 1e-4, min = 0, doc = "what counts as better" },
  { "threshold_mode", "rel", choices = { "rel", "abs" }, doc = "a share of the best, or as it is" },
  { "cooldown", 0, type = "integer", min = 0, doc = "metrics after a reduction that do not count" },
  { "min_lr", 0, type = { "number", "list" }, doc = "never below this, one for each group" },
  { "eps", 1e-8, min = 0, doc = "smaller changes are not made" },
  { "watch_metric", "eval_loss_epoch", doc = "the metric of the run history that is watched" },
}

function ReduceLROnPlateau:init(o)
  o = ReduceLROnPlateau:check(o)
  StatefulSchedulerBase.init(self, o)
  for name, value in pairs(o) do self[name] = value end
  self.min_lr = cycled_momentum.per_group(self, "min_lr", o.min_lr)
  self.best, self.num_bad_epochs, self.cooldown_counter, self.last_epoch = false, 0, 0, 0
end

local function is_better(self, value)
  local best = self.best
  if best == false then return value == value end
  if self.mode == "min" then
    return value < (self.threshold_mode == "rel" and best * (1 - self.threshold)
      or best - self.threshold)
  end
  return value > (self.threshold_mode == "rel" and best * (1 + self.threshold)
    or best + self.threshold)
end

local function reduce(self)
  local field = self.param_group_field
  for i, group in ipairs(self.optimizer.param_groups) do
    local value = math.max(group[field] * self.factor, self.min_lr[i])
    if group[field] - value > self.eps then group[field] = value end
  end
end

--- Updates alone change nothing.
function ReduceLROnPlateau:get_updated_values() end

--- With a metric: count it, and reduce when more than `patience` in a row were no better. Without
-- one, as after every update: nothing.
-- @param metric a number
function ReduceLROnPlateau:step(metric)
  if metric == nil then return StatefulSchedulerBase.step(self) end
  check.value(self.name .. ":step", "metric", metric, { type = "any" })
  self.last_epoch = self.last_epoch + 1
  if is_better(self, metric) then
    self.best, self.num_bad_epochs = metric, 0
  else
    self.num_bad_epochs = self.num_bad_epochs + 1
  end
  if self.cooldown_counter > 0 then
    self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
  end
  if self.num_bad_epochs > self.patience then
    reduce(self)
    self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
  end
end

--- What the Trainer calls when an epoch and its evaluation are over.
-- @param run_history holds `watch_metric`
function ReduceLROnPlateau:step_epoch(run_history)
  self:step(run_history:get_latest_metric(self.watch_metric))
end

return ReduceLROnPlateau
