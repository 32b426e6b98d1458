--- The metric that a callback watches: its newest value, and whether that is the best so far. A
-- value that is no number, or NaN, is never better than another.

local class = require "perilune.class"

local WatchedMetric = class("WatchedMetric")

--- @param name the metric; nil: eval_loss_epoch where the run evaluates, else train_loss_epoch
-- @param greater_is_better whether larger values are better
-- @param threshold by how much a value must be better, an absolute difference
function WatchedMetric:init(name, greater_is_better, threshold)
  self.metric_name, self.greater_is_better = name or nil, greater_is_better or false
  self.threshold = threshold or 0
end

--- The name in this run.
function WatchedMetric:name_in(trainer)
  return self.metric_name or (trainer.eval_dataloader and "eval_loss_epoch" or "train_loss_epoch")
end

--- The newest value.
-- @raise kind "argument" when nothing was recorded under the name
function WatchedMetric:value(trainer)
  return trainer.run_history:get_latest_metric(self:name_in(trainer))
end

--- Has the metric been recorded?
function WatchedMetric:is_there(trainer)
  local wanted = self:name_in(trainer)
  for _, name in ipairs(trainer.run_history:get_metric_names()) do
    if name == wanted then return true end
  end
  return false
end

--- Is a value better than another by more than the threshold? Any number is better than nil.
function WatchedMetric:is_better(value, than)
  if type(value) ~= "number" or value ~= value then return false end
  if than == nil then return true end
  if self.greater_is_better then return value > than + self.threshold end
  return value < than - self.threshold
end

return WatchedMetric
