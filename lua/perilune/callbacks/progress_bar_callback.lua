--- A progress bar (perilune/progress_bar.lua) for every pass over a loader, on the main rank and
-- unless the trainer is quiet.

local class = require "perilune.class"
local terminal = require "perilune.terminal"
local ProgressBar = require "perilune.progress_bar"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local ProgressBarCallback = class("ProgressBarCallback", TrainerCallback)

local function start(trainer, label, loader, tracker)
  if trainer.quiet or not trainer.process_group:is_main() then return nil end
  return ProgressBar(label, loader.size and loader:size() or nil, tracker)
end

local function finish(bar)
  if bar then bar:finish() end
  return nil
end

function ProgressBarCallback:on_train_epoch_start(trainer)
  local epoch, last = trainer.run_history.current_epoch, trainer.last_epoch
  local label = ("epoch %d%s"):format(epoch, last < math.huge and "/" .. last or "")
  self.train_bar = start(trainer, label, trainer.train_dataloader, trainer.train_loss_tracker)
end

function ProgressBarCallback:on_train_step_end(_, _, _, step)
  local bar = self.train_bar
  if bar then bar:advance(step) end
end

function ProgressBarCallback:on_train_epoch_end()
  self.train_bar = finish(self.train_bar)
end

function ProgressBarCallback:on_eval_epoch_start(trainer)
  self.eval_bar = start(trainer, "evaluation", trainer.eval_dataloader, trainer.eval_loss_tracker)
end

function ProgressBarCallback:on_eval_step_end(_, _, _, step)
  local bar = self.eval_bar
  if bar then bar:advance(step) end
end

function ProgressBarCallback:on_eval_epoch_end()
  self.eval_bar = finish(self.eval_bar)
end

function ProgressBarCallback:on_predict_run_start(trainer)
  self.predict_bar = start(trainer, "prediction", trainer.predict_dataloader)
end

function ProgressBarCallback:on_predict_step_end(_, _, _, step)
  local bar = self.predict_bar
  if bar then bar:advance(step) end
end

function ProgressBarCallback:on_predict_run_end()
  self.predict_bar = finish(self.predict_bar)
end

--- After an error the line stays as it was, and the error's text begins below it.
function ProgressBarCallback:on_teardown()
  self.train_bar, self.eval_bar, self.predict_bar = nil, nil, nil
  terminal.finish()
end

return ProgressBarCallback
