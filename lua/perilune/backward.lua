--- Running a backward pass: the engine walks the graph and stops at nodes whose gradient is Lua.

local ffi = require "ffi"
local check = require "perilune.check"
local engine = require "perilune.engine"
local origin = require "perilune.origin"
local queue = require "perilune.queue"

local C = engine.C

local roots, grads = ffi.new "double[1]", ffi.new "double[1]"
local out, step = ffi.new "pl_backward *[1]", ffi.new "int32_t[1]"

--- The status of a part of the pass, once the launches that wait for Lua have run.
local function drained(status)
  if status ~= C.PL_QUEUED then return status end
  queue.drain()
  return 0
end

local function run(pass, work)
  repeat
    local status = drained(C.pl_backward_next(pass, work, step))
    if status ~= 0 then return status end
    local finished = step[0] == C.PL_FINISHED
    if not finished then
      status = drained(require("perilune.function").run_backward(pass, work))
      if status ~= 0 then return status end
    end
  until finished
  return 0
end

local OPTIONS = {
  { "retain_graph", false, doc = "backward may run again" },
  { "create_graph", false, doc = "gradients have gradients themselves" },
}

local function flags_of(options)
  if not options then return 0 end
  options = check.call(OPTIONS, "backward", options)
  return (options.retain_graph and C.PL_RETAIN_GRAPH or 0)
    + (options.create_graph and C.PL_CREATE_GRAPH or 0)
end

-- A gradient that is not finite is told with the line of its op.
local function raise_anomaly(status)
  local message, text = ffi.string(C.pl_error()), origin.text()
  engine.raise(status, text and ("%s; %s was called at %s"):format(message,
    ffi.string(C.pl_error_op()), text) or message)
end

local spare = ffi.new "pl_work"

--- @param root handle of the tensor
-- @param gradient handle, 0 for one
-- @param options { retain_graph =, create_graph = }
-- @return a status; errors of Lua gradients are raised
return function(root, gradient, options)
  roots[0], grads[0] = root, gradient
  local status = C.pl_backward_begin(roots, grads, 1, flags_of(options), out)
  if status ~= 0 then return status end
  local pass = out[0]
  local work = spare
  spare = nil                            -- a backward inside a backward takes another
  local ok, result = pcall(run, pass, work or ffi.new "pl_work")
  spare = work or spare
  C.pl_backward_end(pass)
  if not ok then error(result, 0) end
  if result == C.PL_EUSER and engine.context.anomaly ~= 0 then raise_anomaly(result) end
  return result
end
