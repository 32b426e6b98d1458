--- Says in plain lines what a run is about to do and how it ended.

local class = require "perilune.class"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local PrintProgressCallback = class("PrintProgressCallback", TrainerCallback)

local function counted(n, noun)
  return n and ("%d %s%s"):format(n, noun, n == 1 and "" or "s")
end

-- "training: 8 epochs of 1719 updates, batch size 32, seed 42"
local function summary(config)
  local updates = counted(config.num_update_steps_per_epoch, "update")
  local extent = counted(config.num_epochs, "epoch")
  if extent and updates then
    extent = extent .. " of " .. updates
  elseif not extent then
    extent = config.max_updates and "at most " .. counted(config.max_updates, "update")
      or "for a given time"
  end
  return ("training: %s, batch size %d, seed %.0f"):format(extent,
    config.train_total_batch_size or config.train_per_device_batch_size, config.seed)
end

function PrintProgressCallback:on_training_run_start(trainer)
  trainer:print(summary(trainer.run_config))
end

function PrintProgressCallback:on_stop_training(trainer, reason)
  trainer:print(("stopping after update %d%s"):format(trainer.update,
    reason and ": " .. tostring(reason) or ""))
end

function PrintProgressCallback:on_training_run_end(trainer)
  trainer:print(("training finished after %s"):format(counted(trainer.update, "update")))
end

function PrintProgressCallback:on_evaluation_run_start(trainer)
  local batch_size = trainer.run_config.eval_per_device_batch_size
  trainer:print(("evaluation: batch size %d"):format(batch_size))
end

function PrintProgressCallback:on_predict_run_start(trainer)
  local batch_size = trainer.run_config.eval_per_device_batch_size
  trainer:print(("prediction: batch size %d"):format(batch_size))
end

return PrintProgressCallback
