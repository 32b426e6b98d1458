--- What callbacks and users may call on a trainer during a run, beside the runs themselves: stop,
-- resume and abort, change callbacks, log and print.

local class = require "perilune.class"
local logging = require "perilune.trainer.logging"
local stepping = require "perilune.trainer.stepping"
local terminal = require "perilune.terminal"
local TrainerPhases = require "perilune.trainer.phases"

local TrainerControls = class("TrainerControls", TrainerPhases)

--- End the run in good order at the next step edge of training: on_stop_training, then the end of
-- the epoch and of the run. An evaluation that is under way is finished first, and so are the
-- run's min_epochs and min_updates.
function TrainerControls:stop(reason)
  self.stop_requested, self.stop_reason = true, reason
end

--- Log a value of the update that is under way; nothing happens unless `trainer.log_due`. It is
-- recorded in the run history and told by on_log, once the update is over.
-- @param value a number; a tensor of one element, which is read then; or a histogram, { counts = n
--   numbers, edges = n + 1 numbers }, each bin from its lower edge to the next, as numpy's
function TrainerControls:log(name, value)
  logging.add(self, name, value)
end

--- Attach a callback: an instance, a class or a table of functions; also during a run.
-- @return the callback
function TrainerControls:add_callback(callback)
  return self.callback_handler:add_callback(callback)
end

--- Detach a callback.
-- @param which the callback, its class or its name
-- @return the callback
function TrainerControls:remove_callback(which)
  return self.callback_handler:remove(which)
end

--- Put a callback in the place of another.
-- @param which the callback to go, its class or its name
-- @return the new callback
function TrainerControls:replace_callback(which, callback)
  return self.callback_handler:replace(which, callback)
end

--- Print a line, on the main rank and unless `quiet`; a progress bar stays below it.
function TrainerControls:print(text)
  if not self.quiet and self.process_group:is_main() then terminal.print(tostring(text)) end
end

--- Go on with a paused run to its end: inside the input of the session that Ctrl-C interrupted, or
-- without the body of the loop over steps that was left.
-- @return what that input gives, or the run history
function TrainerControls:resume()
  return stepping.finish(self, "Trainer:resume")
end

--- End a training run through its normal end events, at once if it is paused, else at the next step
-- edge. A paused `evaluate` or `predict` ends with an error.
function TrainerControls:abort(reason)
  self:stop(reason or "aborted")
  self.stop_now = true
  if self.state ~= "running" then stepping.finish(self, "Trainer:abort") end
end

return TrainerControls
