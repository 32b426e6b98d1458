--- Measures the time of training and of evaluations, and stops a run whose training has taken too
-- long; time spent in evaluations does not count. (train's max_time limits the whole run.)

local class = require "perilune.class"
local clock = require("perilune.engine").clock
local check = require "perilune.check"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local Timer = class("Timer", TrainerCallback)

Timer.options = {
  { "duration", type = "number", min = 0, doc = "seconds of training before the run is stopped" },
}

function Timer:init(o)
  self.duration = Timer:check(o).duration
  self.elapsed, self.started = { train = 0, eval = 0 }, {}
end

local function start(self, loop)
  self.started[loop] = clock()
end

local function stop(self, loop)
  local started = self.started[loop]
  if started then self.elapsed[loop] = self.elapsed[loop] + clock() - started end
  self.started[loop] = nil
end

--- Seconds spent so far, over all runs.
-- @param loop "train" (the default) or "eval"
function Timer:time_elapsed(loop)
  loop = check.value("Timer:time_elapsed", "loop", loop or "train",
    { choices = { "train", "eval" } })
  local started = self.started[loop]
  return self.elapsed[loop] + (started and clock() - started or 0)
end

--- Seconds of training that are left; nil without a duration.
function Timer:time_remaining()
  return self.duration and self.duration - self:time_elapsed("train")
end

function Timer:on_train_epoch_start()
  start(self, "train")
end

function Timer:on_optimizer_step_end(trainer)
  local duration = self.duration
  if duration and self:time_elapsed("train") >= duration then
    trainer:stop(("%g seconds of training are over"):format(duration))
  end
end

function Timer:on_train_epoch_end()
  stop(self, "train")
end

-- An evaluation may come in the middle of an epoch.
function Timer:on_eval_epoch_start()
  self.interrupted = self.started.train ~= nil
  stop(self, "train")
  start(self, "eval")
end

function Timer:on_eval_epoch_end()
  stop(self, "eval")
  if self.interrupted then start(self, "train") end
end

function Timer:on_teardown()
  stop(self, "train")
  stop(self, "eval")
end

return Timer
