--- Stops training when a metric no longer becomes better, is no longer finite, has reached a target
-- or has diverged; `stopping_reason` says which.

local class = require "perilune.class"
local Interval = require "perilune.interval"
local TrainerCallback = require "perilune.callbacks.trainer_callback"
local WatchedMetric = require "perilune.watched_metric"

local EarlyStopping = class("EarlyStopping", TrainerCallback)

EarlyStopping.options = {
  { "monitor", type = "string",
    doc = "eval_loss_epoch, or train_loss_epoch without an evaluation, if not given" },
  { "min_delta", 0, type = "number", min = 0, doc = "by how much a value must be better" },
  { "patience", 3, type = "integer", min = 0, doc = "so many checks without a better value" },
  { "mode", "min", choices = { "min", "max" }, doc = "whether small or large values are good" },
  { "check_finite", true, doc = "stop at NaN and infinity" },
  { "stopping_threshold", type = "number", doc = "stop once the value is better than this" },
  { "divergence_threshold", type = "number", doc = "stop once the value is worse than this" },
  { "every", { epochs = 1 }, type = "table", doc = "how often the metric is looked at" },
}

function EarlyStopping:init(o)
  o = EarlyStopping:check(o)
  self.patience, self.check_finite = o.patience, o.check_finite
  self.stopping_threshold = o.stopping_threshold or nil
  self.divergence_threshold = o.divergence_threshold or nil
  self.metric = WatchedMetric(o.monitor, o.mode == "max", o.min_delta)
  self.sharp = WatchedMetric(o.monitor, o.mode == "max", 0)
  self.every = Interval(o.every, "EarlyStopping: every")
  self.best, self.wait_count, self.stopped_epoch, self.stopping_reason = nil, 0, nil, nil
end

local function is_finite(value)
  return type(value) == "number" and value - value == 0
end

-- The reason to stop at a value, and a sentence about it.
local function judge(self, name, value)
  if self.check_finite and not is_finite(value) then
    return "not_finite", ("%s is %s"):format(name, tostring(value))
  elseif self.stopping_threshold and self.sharp:is_better(value, self.stopping_threshold) then
    return "target_reached", ("%s = %.6g has reached %g"):format(name, value,
      self.stopping_threshold)
  elseif self.divergence_threshold and self.sharp:is_better(self.divergence_threshold, value) then
    return "diverged", ("%s = %.6g is worse than %g"):format(name, value, self.divergence_threshold)
  elseif self.metric:is_better(value, self.best) then
    self.best, self.wait_count = value, 0
    return nil
  end
  self.wait_count = self.wait_count + 1
  if self.wait_count < self.patience then return nil end
  return "patience", ("%s has not become better than %.6g in %d checks"):format(name,
    self.best or 0 / 0, self.wait_count)
end

local function look(self, trainer)
  local reason, sentence = judge(self, self.metric:name_in(trainer), self.metric:value(trainer))
  if not reason then return end
  self.stopping_reason, self.stopped_epoch = reason, trainer.run_history.current_epoch
  trainer:stop(sentence)
end

function EarlyStopping:on_training_run_start()
  self.stopped_epoch, self.stopping_reason = nil, nil
  self.every:start()
end

function EarlyStopping:on_optimizer_step_end(trainer)
  if self.every:due("updates", trainer.update, trainer.process_group)
    and self.metric:is_there(trainer) then
    look(self, trainer)
  end
end

function EarlyStopping:on_training_run_epoch_end(trainer)
  if self.every:due("epochs", trainer.run_history.current_epoch) then look(self, trainer) end
end

function EarlyStopping:state_dict()
  return { best = self.best, wait_count = self.wait_count }
end

function EarlyStopping:load_state_dict(state)
  self.best, self.wait_count = state.best, state.wait_count
end

return EarlyStopping
