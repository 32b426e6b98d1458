--- Ends a run whose loss is NaN or infinite, with an error that names the exact epoch, update and
-- batch. Losses are read in batches, so the run may have gone on for up to 100 updates since.

local class = require "perilune.class"
local errors = require "perilune.errors"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local TerminateOnNaNCallback = class("TerminateOnNaNCallback", TrainerCallback)

function TerminateOnNaNCallback:on_non_finite_loss(trainer, loss, update, step)
  local epoch = trainer.run_history.current_epoch
  local where = ("batch %d of the evaluation"):format(step)
  if update then
    where = ("epoch %d, update %d (batch %d of the epoch)"):format(epoch, update, step)
  end
  local err = errors.new("user", ("the loss is %s at %s; the Trainer's option detect_anomaly "
    .. "names the op it came from"):format(loss ~= loss and "NaN" or tostring(loss), where))
  err.callback, err.epoch, err.update = class.name_of(self), epoch, update
  error(err, 0)
end

return TerminateOnNaNCallback
