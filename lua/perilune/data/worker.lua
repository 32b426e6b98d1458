--- What a worker does: it is told once what the dataset is, then makes the batches it is asked for.
-- It runs in a Lua state of its own, in a thread (engine/host/worker.c).

local context = require "perilune.context"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local pack = require "perilune.data.pack"
local sample_pass = require "perilune.data.sample_pass"

-- loader: what batches are made of; held: the tensors of the last answer; step, pass and at: where
-- the samples of a dataset that only iterates are, in batches.
local state = {}

-- Ctrl-C is for the main thread.
engine.context.interrupts = 2 ^ 31 - 1

local function plain(value)
  if type(value) ~= "table" or getmetatable(value) == nil then return value end
  local out = {}
  for key, item in next, value do out[key] = item end
  return out
end

-- Batch number `request.number` of an iterated pass; nil where it has ended.
local function iterated(request)
  while state.at < request.number do
    state.at = state.at + 1
    if not sample_pass.skip(state.pass) then return nil end
  end
  state.at = state.at + 1
  return state.step(state.pass)
end

local function make(request)
  local batch
  if request.number then
    batch = iterated(request)
  else
    batch = sample_pass.make(state.loader, request.positions, request.seed, request.epoch)
  end
  local bytes
  bytes, state.held = pack.data({ batch = plain(batch) }, "batch", "the main thread")
  return bytes
end

local function failure(e)
  e = errors.wrap(e, debug.traceback(tostring(e), 2))
  return (pack.data({ kind = e.kind, op = e.op, argument = e.argument, message = e.message,
    where = e.where, traceback = e.traceback }))
end

--- Answer a request: the loader's part first, then lists of positions. The tensors of an answer are
-- held until the next request, which comes once they were read.
-- @param bytes packed
-- @return bytes
return function(bytes)
  local request = pack.read(bytes)
  if request.loader then
    state.loader = request.loader
    return (pack.data({}))
  end
  state.held = nil
  local _, answer = xpcall(function()
    -- What iterate() makes belongs to no batch, hence to no scope.
    if request.number and not state.pass then
      state.step, state.pass = sample_pass.iterated(state.loader, request.seed, request.epoch)
      state.at = 0
    end
    return context.scope(make, request)
  end, failure)
  return answer
end
