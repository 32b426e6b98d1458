--- Coroutines that compute. What one needs of its thread (grad, anomaly and deterministic mode,
-- generator, when Ctrl-C makes ops fail) is put away while it rests and taken out again when it
-- goes on, so that neither it nor whoever runs meanwhile reaches the other.

local engine = require "perilune.engine"
local random = require "perilune.random"

local state = engine.context

local coroutines = {}

local function take_out(numbers, grad, anomaly, deterministic, interrupts, ...)
  random.load_state(numbers)
  state.grad, state.anomaly, state.deterministic = grad, anomaly, deterministic
  state.interrupts = interrupts
  return ...
end

--- Rest; parameters and results as of coroutine.yield.
function coroutines.yield(...)
  return take_out(random.state(), state.grad, state.anomaly, state.deterministic,
    state.interrupts, coroutine.yield(...))
end

local function put_back(thread, grad, anomaly, deterministic, interrupts, ...)
  state.grad = grad
  if coroutine.status(thread) == "suspended" then
    state.anomaly, state.deterministic, state.interrupts = anomaly, deterministic, interrupts
  end
  return ...
end

--- Let a coroutine go on; parameters and results as of coroutine.resume. One that ends leaves
-- behind what it set for good: the generator, whether anomalies are looked for, when ops fail.
function coroutines.resume(thread, ...)
  return put_back(thread, state.grad, state.anomaly, state.deterministic, state.interrupts,
    coroutine.resume(thread, ...))
end

return coroutines
