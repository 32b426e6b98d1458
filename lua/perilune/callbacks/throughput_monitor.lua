--- Logs "samples_per_second" and "updates_per_second" in the updates that log_every names: the mean
-- since the one before. Evaluations between them do not count.

local class = require "perilune.class"
local clock = require("perilune.engine").clock
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local ThroughputMonitor = class("ThroughputMonitor", TrainerCallback)

local function restart(self)
  self.since, self.samples, self.updates = clock(), 0, 0
end

function ThroughputMonitor:on_training_run_start()
  restart(self)
end

function ThroughputMonitor:on_train_batch_loss(_, _, output)
  if not self.since then restart(self) end
  self.samples = self.samples + output.batch_size
end

function ThroughputMonitor:on_optimizer_step_end(trainer)
  self.updates = self.updates + 1
  if not trainer.log_due then return end
  local seconds = math.max(clock() - self.since, 1e-9)
  trainer:log("samples_per_second", self.samples / seconds)
  trainer:log("updates_per_second", self.updates / seconds)
  restart(self)
end

function ThroughputMonitor:on_eval_epoch_start()
  self.paused_at = clock()
end

function ThroughputMonitor:on_eval_epoch_end()
  if self.since then self.since = self.since + clock() - self.paused_at end
end

return ThroughputMonitor
