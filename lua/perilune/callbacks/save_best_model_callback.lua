--- Keeps a checkpoint of the epoch whose metric was best, and loads it back when the run ends. A
-- disk that refuses is reported; the training goes on and the last good file stays.

local class = require "perilune.class"
local TrainerCallback = require "perilune.callbacks.trainer_callback"
local WatchedMetric = require "perilune.watched_metric"

local SaveBestModelCallback = class("SaveBestModelCallback", TrainerCallback)

SaveBestModelCallback.options = {
  { "save_path", "best_model.safetensors", doc = "the file" },
  { "watch_metric", type = "string",
    doc = "eval_loss_epoch, or train_loss_epoch without an evaluation, if not given" },
  { "greater_is_better", false, doc = "larger values are better" },
  { "reset_on_train", true, doc = "forget the best value when another run starts" },
  { "save_optimizer", true, doc = "the optimizer's state as well" },
  { "save_scheduler", true, doc = "the scheduler's state as well" },
  { "load_saved_checkpoint", true, doc = "load the best back at the end of the run" },
}

function SaveBestModelCallback:init(o)
  o = SaveBestModelCallback:check(o)
  self.save_path, self.reset_on_train = o.save_path, o.reset_on_train
  self.save_optimizer, self.save_scheduler = o.save_optimizer, o.save_scheduler
  self.load_saved_checkpoint = o.load_saved_checkpoint
  self.metric = WatchedMetric(o.watch_metric, o.greater_is_better)
end

function SaveBestModelCallback:on_training_run_start()
  if self.reset_on_train then self.best_metric, self.best_epoch = nil, nil end
end

-- What was best before is again where the disk refuses.
local function save(self, trainer, name, value)
  local best_metric, best_epoch = self.best_metric, self.best_epoch
  self.best_metric, self.best_epoch = value, trainer.run_history.current_epoch
  trainer:save_checkpoint(self.save_path, {
    save_optimizer = self.save_optimizer and trainer.optimizer ~= nil,
    save_scheduler = self.save_scheduler and trainer.scheduler ~= nil
      and trainer.scheduler.state_dict ~= nil,
    values = { epoch = trainer.run_history.current_epoch, update = trainer.update, [name] = value },
    go_on = true, after = function(saved)
      if not saved then self.best_metric, self.best_epoch = best_metric, best_epoch end
    end,
  })
end

function SaveBestModelCallback:on_training_run_epoch_end(trainer)
  local name, value = self.metric:name_in(trainer), self.metric:value(trainer)
  if self.metric:is_better(value, self.best_metric) then save(self, trainer, name, value) end
end

function SaveBestModelCallback:on_training_run_end(trainer)
  if not self.load_saved_checkpoint then return end
  trainer:wait_for_saves()
  if not self.best_metric then return end
  trainer:load_checkpoint(self.save_path)
  trainer:print(("loaded the best model, of epoch %d: %s = %.6g"):format(self.best_epoch,
    self.metric:name_in(trainer), self.best_metric))
end

function SaveBestModelCallback:state_dict()
  return { best_metric = self.best_metric, best_epoch = self.best_epoch }
end

function SaveBestModelCallback:load_state_dict(state)
  self.best_metric, self.best_epoch = state.best_metric, state.best_epoch
end

return SaveBestModelCallback
