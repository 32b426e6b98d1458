--- Ctrl-C at the session pauses a run. Each input of a session is a coroutine; it rests, with all
-- its frames, until trainer:resume() goes on with it from inside another input. Runs that were
-- called through a C function or in a coroutine of the user's own cannot rest.

local clock = require("perilune.engine").clock
local coroutines = require "perilune.coroutines"
local state = require("perilune.engine").context

local pausing = {}

local running -- the input at work: { thread =, may_rest = whether those that wait for it may }
local paused = {} -- trainers whose run rests, in the order in which they were interrupted

--- Whether an input of a session is at work.
function pausing.in_session()
  return running ~= nil
end

--- Whether a run called from here can be paused.
function pausing.possible()
  return running ~= nil and coroutine.running() == running.thread and coroutine.isyieldable()
    and running.may_rest
end

local function leave(outer, ok, ...)
  running = outer
  if not ok then error((...), 0) end
  return ...
end

local function go_on(input, order)
  local outer = running
  input.may_rest = outer == nil or pausing.possible()
  running = input
  return leave(outer, coroutines.resume(input.thread, order))
end

--- Run a function as an input of the session.
-- @return what f returns; if it was paused a trainer, which says so by its `paused_input`
function pausing.start(f)
  return go_on{ thread = coroutine.create(f) }
end

local function forget(trainer)
  for i = #paused, 1, -1 do
    if paused[i] == trainer then table.remove(paused, i) end
  end
end

--- Rest until somebody says what to do; only where it is possible.
-- @return "resume", or "leave" when the session ends
function pausing.pause(trainer)
  local scope, before, began = state.scope, trainer.state, clock()
  state.scope = 0
  trainer.state, trainer.paused_input = "paused", running
  paused[#paused + 1] = trainer
  local order = coroutines.yield(trainer)
  forget(trainer)
  trainer.state, trainer.paused_input = before, nil
  state.scope = scope
  if trainer.deadline then trainer.deadline = trainer.deadline + clock() - began end
  return order
end

--- Let the input in which a trainer's run was paused go on to its end, over further pauses.
-- @param order "resume" or "leave"
-- @return what the input's function returns
function pausing.resume(trainer, order)
  local input, scope = trainer.paused_input, state.scope
  while true do
    local result, err = go_on(input, order)
    state.scope = scope
    if coroutine.status(input.thread) == "dead" then return result, err end
    order = pausing.pause(trainer)
  end
end

--- The trainers whose runs rest.
function pausing.trainers()
  return { unpack(paused) }
end

return pausing
