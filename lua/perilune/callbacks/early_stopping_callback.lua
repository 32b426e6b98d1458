--- Stops training when a metric has not become better for some epochs.

local class = require "perilune.class"
local TrainerCallback = require "perilune.callbacks.trainer_callback"
local WatchedMetric = require "perilune.watched_metric"

local EarlyStoppingCallback = class("EarlyStoppingCallback", TrainerCallback)

EarlyStoppingCallback.options = {
  { "early_stopping_patience", 1, type = "integer", min = 1,
    doc = "so many epochs without a better value end the run" },
  { "early_stopping_threshold", 0.01, type = "number", min = 0,
    doc = "by how much a value must be better, an absolute difference" },
  { "watch_metric", type = "string",
    doc = "eval_loss_epoch, or train_loss_epoch without an evaluation, if not given" },
  { "greater_is_better", false, doc = "larger values are better" },
  { "reset_on_train", true, doc = "forget the best value when another run starts" },
}

function EarlyStoppingCallback:init(o)
  o = EarlyStoppingCallback:check(o)
  self.patience, self.reset_on_train = o.early_stopping_patience, o.reset_on_train
  self.metric = WatchedMetric(o.watch_metric, o.greater_is_better, o.early_stopping_threshold)
  self:reset()
end

function EarlyStoppingCallback:reset()
  self.best, self.count = nil, 0
end

function EarlyStoppingCallback:on_training_run_start()
  if self.reset_on_train then self:reset() end
end

function EarlyStoppingCallback:on_training_run_epoch_end(trainer)
  local value = self.metric:value(trainer)
  if self.metric:is_better(value, self.best) then
    self.best, self.count = value, 0
    return
  end
  self.count = self.count + 1
  if self.count < self.patience then return end
  trainer:stop(("%s has not become better than %.6g for %d epoch%s"):format(
    self.metric:name_in(trainer), self.best or 0 / 0, self.count, self.count == 1 and "" or "s"))
end

function EarlyStoppingCallback:state_dict()
  return { best = self.best, count = self.count }
end

function EarlyStoppingCallback:load_state_dict(state)
  self.best, self.count = state.best, state.count
end

return EarlyStoppingCallback
