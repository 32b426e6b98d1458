--- Measures a run's speed: seconds and samples of every training epoch, and when the first update
-- was done. An epoch's time ends when its last loss has been read, so nothing is left unfinished.

local class = require "perilune.class"
local engine = require "perilune.engine"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local StopwatchCallback = class("StopwatchCallback", TrainerCallback)

--- Fields: `seconds_per_epoch`, a list; `samples`, how many were trained on;
-- `time_to_first_update`, seconds from the start of the process, nil before it.
function StopwatchCallback:init()
  self.seconds_per_epoch, self.samples = {}, 0
end

function StopwatchCallback:on_train_epoch_start()
  self.epoch_started = engine.clock()
end

function StopwatchCallback:on_optimizer_step_end()
  if not self.time_to_first_update then self.time_to_first_update = engine.process_seconds() end
end

function StopwatchCallback:on_train_epoch_end(trainer)
  self.samples = self.samples + trainer.train_loss_tracker:running_count()
  table.insert(self.seconds_per_epoch, engine.clock() - self.epoch_started)
end

--- Samples trained on per second, over all epochs so far.
function StopwatchCallback:samples_per_second()
  local seconds = 0
  for _, epoch in ipairs(self.seconds_per_epoch) do seconds = seconds + epoch end
  return self.samples / seconds
end

return StopwatchCallback
