--- Runs that go one update at a time: the run is a coroutine that rests between two updates. And
-- how runs of either kind rest after Ctrl-C at the session, and go on. In a script a signal in the
-- body of the loop waits for the run to go on; at a session's prompt it stops what is typed there.

local context = require "perilune.context"
local coroutines = require "perilune.coroutines"
local errors = require "perilune.errors"
local pausing = require "perilune.pausing"

local stepping = {}

local INTERRUPTED = {} -- what a run hands out, in place of a batch, to be paused by its caller

-- Let the run go on to its next pause or to its end.
-- @return batch and output at a pause; nil at the end
local function advance(self)
  local run, order = self.stepped_run, nil
  if not run then return nil end
  while true do
    run.may_rest = pausing.possible()
    local ok, batch, output = coroutines.resume(run.coroutine, order)
    if coroutine.status(run.coroutine) == "dead" then
      self.stepped_run = nil
      if not ok then error(batch, 0) end
      return nil
    end
    if batch ~= INTERRUPTED then
      if not pausing.in_session() then context.interrupt_ops_at(2) end
      return batch, output
    end
    order = pausing.pause(self)
  end
end

--- Begin a run of `body`; it starts with the first step.
-- @param runner run.lua's function
-- @return what a `for` loop takes
function stepping.start(self, runner, body, options)
  if self.state == "running" or self.state == "paused" then return runner(self, body, options) end
  self.stepped_run = { pauses = true,
    coroutine = coroutine.create(function() return runner(self, body, options) end) }
  return advance, self
end

local function paused_run(self, what)
  if self.state ~= "paused" then
    errors.raise("user", ("%s: this trainer has no paused run (it is %s)"):format(what, self.state))
  end
  return self.stepped_run
end

--- Go on with a paused run, one update at a time.
-- @return what a `for` loop takes
function stepping.continue(self)
  paused_run(self, "Trainer:steps")
  if self.paused_input then
    errors.raise("user", "Trainer:steps: Ctrl-C paused this run in the middle of an input; resume()"
      .. " goes on inside it")
  end
  return advance, self
end

local function results_of(results, err)
  if not results then error(err, 0) end
  return unpack(results, 1, results.n)
end

--- Run a paused run to its end, and the input with it that Ctrl-C interrupted.
-- @return what that input gives; for a run that its loop left, the run history
function stepping.finish(self, what)
  local run = paused_run(self, what)
  if self.paused_input then return results_of(pausing.resume(self, "resume")) end
  run.pauses = false
  advance(self)
  return self.run_history
end

--- Ctrl-C: pause the run, where it was called from an input of the session.
-- @return whether the run has been told to go on
function stepping.rest(self)
  local run = self.stepped_run
  if run and coroutine.running() == run.coroutine then
    return run.may_rest and coroutine.isyieldable() and coroutines.yield(INTERRUPTED) == "resume"
  end
  return pausing.possible() and pausing.pause(self) == "resume"
end

--- Called by the loop when an update is over.
function stepping.pause(self, batch, output)
  if not self.stepped_run.pauses then return end
  self.train_scope:leave()
  self.state = "paused"
  coroutines.yield(batch, output)
  self.state = "running"
end

return stepping
