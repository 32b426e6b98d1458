--- Runs that go one update at a time. The run is a coroutine: between two updates it rests in
-- `pause`, and whatever it needs of the thread's context (scope, grad mode, generator) is put away
-- there and taken out again, so that what happens meanwhile does not reach it. In a script a signal
-- waits for the run to go on; at a session's prompt it stops what is typed there.

local context = require "perilune.context"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local random = require "perilune.random"

local stepping = {}

-- Let the run go on to its next pause or to its end.
-- @return batch and output at a pause; nil at the end
local function advance(self)
  local run = self.stepped_run
  if not run then return nil end
  local grad = engine.context.grad
  local ok, batch, output = coroutine.resume(run.coroutine, self, run.body, run.options)
  engine.context.grad = grad
  if coroutine.status(run.coroutine) == "dead" then
    self.stepped_run = nil
    if not ok then error(batch, 0) end
    return nil
  end
  return batch, output
end

--- Begin a run of `body`; it starts with the first step.
-- @param runner run.lua's function
-- @return what a `for` loop takes
function stepping.start(self, runner, body, options)
  if self.state == "running" or self.state == "paused" then return runner(self, body, options) end
  self.stepped_run = { coroutine = coroutine.create(runner), body = body, options = options,
    pauses = true }
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
  return advance, self
end

--- Run a paused run to its end.
function stepping.finish(self, what)
  paused_run(self, what).pauses = false
  advance(self)
end

--- Called by the loop when an update is over.
function stepping.pause(self, batch, output)
  local run = self.stepped_run
  if not run.pauses then return end
  local grad, anomaly = engine.context.grad, engine.context.anomaly
  local numbers = random.state()
  self.train_scope:leave()
  if package.loaded["perilune.repl"] then context.interrupt_ops_at(1) end
  self.state = "paused"
  coroutine.yield(batch, output)
  self.state = "running"
  context.interrupt_ops_at(2)
  random.load_state(numbers)
  engine.context.grad, engine.context.anomaly = grad, anomaly
end

return stepping
