--- Seeds and steps of the engine's generator. A number is Philox(seed, stream; step, call,
-- element): the same on every device and for any number of threads.

local ffi = require "ffi"
local engine = require "perilune.engine"
local errors = require "perilune.errors"

local C, check = engine.C, engine.check

local random = {}

--- What draws from which stream, so that one purpose never disturbs another.
random.streams = { ops = 0, shuffle = 1, split = 2, worker = 3, transform = 4, batch = 5 }

local seed, stream, step = ffi.new "int64_t[1]", ffi.new "int64_t[1]", ffi.new "int64_t[1]"

local function get()
  C.pl_random_get(seed, stream, step)
  return tonumber(seed[0]), tonumber(stream[0]), tonumber(step[0])
end

--- Seed initialisation, splits, shuffling and dropout.
-- @param n an integer
function random.manual_seed(n)
  if type(n) ~= "number" or n % 1 ~= 0 or math.abs(n) > 2 ^ 53 then
    errors.raise("argument", "manual_seed: the seed must be an integer, got " .. tostring(n))
  end
  check(C.pl_random_set(n, random.streams.ops, 0))
  random.splits = 0
  math.randomseed(n % 2 ^ 31)
end

--- The seed in force; one is drawn at first use where none was given.
function random.initial_seed()
  return (get())
end

--- The step that random ops count in.
function random.step()
  local _, _, now = get()
  return now
end

--- Advance the step: random ops begin to count their calls from 0 again.
function random.next_step()
  local s, k, n = get()
  check(C.pl_random_set(s, k, n + 1))
end

--- Everything that is needed to go on with the same numbers.
function random.state()
  local s, k, n = get()
  return { seed = s, stream = k, step = n, calls = tonumber(engine.context.random_calls) }
end

function random.load_state(state)
  check(C.pl_random_set(state.seed, state.stream, state.step))
  engine.context.random_calls = state.calls
end

return random
