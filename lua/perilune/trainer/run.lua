--- What surrounds the body of every run: the trainer's state, the scopes, on_exception for every
-- callback and a teardown that always happens. An error leaves with its first traceback, and names
-- the callback and hook it came from.

local context = require "perilune.context"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local modes = require "perilune.trainer.modes"
local random = require "perilune.random"
local saving = require "perilune.state.saving"
local CallbackHandler = require "perilune.callback_handler"

local function say_where(self, err, what)
  err.epoch, err.update = self.run_history.current_epoch, self.update
  err.message = ("%s (epoch %d, update %d): %s"):format(what, err.epoch, err.update, err.message)
end

-- Runs where the error was raised, with the stack whole.
local function describe_error(self, err)
  err = errors.handler(err)
  if err.update then return err end
  local hook = self.callback_handler.running
  if hook then
    err.callback, err.hook = CallbackHandler.name_of(hook.callback), hook.event
    say_where(self, err, err.callback .. ":" .. err.hook)
  elseif self.detect_anomaly and err.op then
    say_where(self, err, "detect_anomaly")
  end
  return err
end

local function complain(what, err)
  io.stderr:write(("perilune: %s failed as well: %s\n"):format(what, tostring(err)))
end

-- Every callback hears of the error and of the teardown, whatever the others do.
-- @return the first error of a hook
local function tell_all(self, event, handler, err)
  local handled, first = self.callback_handler, nil
  for _, hook in ipairs(handled.hooks[event] or {}) do
    handled.running = hook
    local ok, problem = xpcall(hook.call, handler, hook.callback, self, err)
    if not ok and (err or first) then
      complain(CallbackHandler.name_of(hook.callback) .. ":" .. event, problem)
    end
    first = first or (not ok and problem or nil)
  end
  handled.running = nil
  return first
end

local function set_up(self)
  self.state = "running"
  self.stop_requested, self.stop_reason, self.has_stopped = false, nil, false
  self.stop_now, self.deadline = false, nil
  self.seed = tonumber(random.initial_seed())
  self.train_scope, self.eval_scope = context.Scope(), context.Scope()
  self.callback_handler.running = nil
  self.callback_handler:rebuild()
  self.anomaly_before = engine.context.anomaly ~= 0
  context.detect_anomaly(self.detect_anomaly or self.anomaly_before)
  self.interrupts_before = engine.context.interrupts
  self.deterministic_before = engine.context.deterministic
  if self.deterministic then context.use_deterministic_algorithms(self.deterministic) end
  context.interrupt_ops_at(2)
  engine.C.pl_interrupt_watch(1)
  engine.C.pl_process_fail_with(0)
end

local function tear_down(self)
  context.interrupt_ops_at(self.interrupts_before)
  context.detect_anomaly(self.anomaly_before)
  engine.context.deterministic = self.deterministic_before
  self.train_scope:close()
  self.eval_scope:close()
  self.saved_modes = modes.restore(self.saved_modes)
  if self.saved_history then self.run_history, self.saved_history = self.saved_history, nil end
  if self.saved_prefix then self.run_history:set_metric_name_prefix(self.saved_prefix) end
  self.saved_prefix, self.predictions = nil, nil
  self.callback_handler.running = nil
  self:teardown()
end

-- A run is over when what it saved is on the disk.
local function run_and_save(self, body, options)
  local result = body(self, options)
  saving.finish(self)
  return result
end

-- Whatever fails, all the rest is done, the hardware last; answers the first error.
local function finish(self, handler)
  local torn, problem = xpcall(tear_down, handler, self)
  local told = tell_all(self, "on_teardown", handler)
  local saved, another = xpcall(saving.finish, handler, self)
  local released, last = xpcall(self.strategy.teardown, handler, self.strategy)
  engine.C.pl_interrupt_watch(0)
  return not torn and problem or told or not saved and another or not released and last or nil
end

--- Run `body(trainer, options)` as a run of `trainer`.
-- @return what the body returns
-- @raise what the body raises, after on_exception and teardown
return function(self, body, options)
  if self.state == "running" then
    errors.raise("user", "this trainer is in the middle of a run; it cannot start another "
      .. "(evaluate_now() evaluates within a run)")
  elseif self.state == "paused" then
    errors.raise("user", ("this trainer's run is paused after update %d: resume() or abort() it "
      .. "before another"):format(self.update))
  end
  local function handler(err) return describe_error(self, err) end
  set_up(self)
  local ok, result = xpcall(run_and_save, handler, self, body, options)
  if not ok then tell_all(self, "on_exception", errors.handler, result) end
  local problem = finish(self, handler)
  if problem and ok then
    ok, result = false, problem
  elseif problem then
    complain("teardown", problem)
  end
  self.state = ok and "finished" or "failed"
  if ok then return result end
  -- The executable asks the error; luajit would exit with 1 whatever it is.
  if not package.loaded["perilune.host"] then
    engine.C.pl_process_fail_with(result.exit_code or 0)
  end
  error(result, 0)
end
