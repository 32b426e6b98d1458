--- Looks for a training loss that jumps away from the mean of the last ones, or is not finite. It
-- reads the loss of every batch, so each step waits for the device.

local class = require "perilune.class"
local errors = require "perilune.errors"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local SpikeDetection = class("SpikeDetection", TrainerCallback)

SpikeDetection.options = {
  { "mode", "min", choices = { "min", "max" }, doc = "min: only a rise is a spike; max: a fall" },
  { "window", 10, type = "integer", min = 1, doc = "losses that the mean is taken of" },
  { "warmup", 1, type = "integer", min = 0, doc = "losses before the first comparison" },
  { "rtol", 2, type = "number", min = 0, doc = "a spike is more than rtol * |mean| away" },
  { "atol", type = "number", min = 0, doc = "and, if given, more than atol away" },
  { "action", "error", choices = { "error", "stop", "print" }, doc = "what a spike leads to" },
}

function SpikeDetection:init(o)
  o = SpikeDetection:check(o)
  for name, value in next, o do self[name] = value end
  self.recent, self.count = {}, 0
end

function SpikeDetection:on_training_run_start()
  self.recent, self.count = {}, 0
end

local function mean_of(list)
  local sum = 0
  for i = 1, #list do sum = sum + list[i] end
  return sum / #list
end

--- Whether a loss is a spike after losses with this mean.
function SpikeDetection:is_spike(loss, mean)
  if loss - loss ~= 0 then return true end
  local away = self.mode == "min" and loss - mean or mean - loss
  return away > self.rtol * math.abs(mean) and (not self.atol or away > self.atol)
end

--- What a spike leads to; a subclass may do something else.
function SpikeDetection:handle_spike(trainer, loss, mean, step)
  local text = ("the loss is %g after a mean of %g, at epoch %d, update %d (batch %d of the epoch)")
    :format(loss, mean, trainer.run_history.current_epoch, trainer.update, step)
  if self.action == "stop" then
    trainer:stop(text)
  elseif self.action == "print" then
    trainer:print(text)
  else
    local err = errors.new("user", text)
    err.callback, err.epoch, err.update = class.name_of(self), trainer.run_history.current_epoch,
      trainer.update
    error(err, 0)
  end
end

function SpikeDetection:on_train_step_end(trainer, _, output, step)
  local loss = output.loss:item()
  if self.count >= math.max(self.warmup, 1) then
    local mean = mean_of(self.recent)
    if self:is_spike(loss, mean) then return self:handle_spike(trainer, loss, mean, step) end
  end
  self.recent[self.count % self.window + 1] = loss
  self.count = self.count + 1
end

return SpikeDetection
