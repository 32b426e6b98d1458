--- Accelerators whose kernels are Lua functions. The engine never calls Lua: it appends the
-- launches of such a device to a queue, and whoever called the engine drains it before going on, so
-- that no call returns before its launches have run.

local ffi = require "ffi"
local attributes = require "perilune.attributes"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local suggest = require "perilune.suggest"

local C, state = engine.C, engine.context

local queue = {}

-- kernels by op by the device's kind
local kinds = {}

-- ---- what a kernel is given ----

local pointers = {}
for name, number in pairs(attributes.dtypes) do
  pointers[number] = ffi.typeof(attributes.c_types[name] .. " *")
end

local function operand_of(o)
  if o.data == nil then return nil end
  local sizes = {}
  for i = 1, o.rank do sizes[i] = tonumber(o.sizes[i - 1]) end
  return { data = ffi.cast(pointers[o.dtype], o.data), dtype = attributes.dtype_names[o.dtype],
    count = tonumber(o.count), sizes = sizes }
end

local function operands_of(list, from, n)
  local out = {}
  for i = 1, n do out[i] = operand_of(list[from + i - 1]) end
  return out
end

local function inputs_of(row, launch)
  if launch.counts == nil then return operands_of(launch["in"], 0, launch.n_in) end
  local inputs, at = {}, 0
  for i, input in ipairs(row.inputs) do
    local n = launch.counts[i - 1]
    local list = operands_of(launch["in"], at, n)
    inputs[i], at = input.list and list or list[1], at + n
  end
  return inputs
end

local function call_of(row, device, launch)
  return { op = row.name, device = device, inputs = inputs_of(row, launch),
    outputs = operands_of(launch.out, 0, launch.n_out),
    attributes = row.read and row.read(launch.attrs) or {} }
end

-- ---- draining ----

local taken = ffi.new "const pl_launch *[1]"

local function sentence(e)
  return errors.is(e) and e.message or tostring(e)
end

--- Run the launch that was taken.
-- @return the status of its end
local function run(launch)
  local row = require("perilune.ops").list[launch.op + 1]
  local device = engine.device_name(launch.device)
  local kernel = kinds[device:match "^[^:]*"][row.name]
  if not kernel then return C.pl_queue_done(C.PL_EUNSUPPORTED, nil) end
  local ok, result = xpcall(kernel, sentence, call_of(row, device, launch))
  if not ok then return C.pl_queue_done(C.PL_EDEVICE, result) end
  return C.pl_queue_done(result == false and C.PL_EUNSUPPORTED or C.PL_OK, nil)
end

local function drain()
  local status
  repeat
    status = C.pl_queue_take(taken)
    if status == C.PL_QUEUED then status = run(taken[0]) end
  until status ~= 0 or state.queued == 0
  return status
end

--- Run everything that waits.
-- @raise what a launch failed with; those behind it do not run
function queue.drain()
  local status = drain()
  if status ~= 0 then engine.raise(status) end
end

-- A call that failed half-way may have launched something before: it runs all the same.
engine.before_raise = function()
  if state.queued ~= 0 then drain() end
end

-- ---- kinds ----

local function refuse(name, op, reason)
  errors.raise("argument", ("%s: kernels.%s %s"):format(name, tostring(op), reason), { op = op })
end

local function check_kernel(name, op, kernel, rows)
  local row = rows[op]
  if not row then
    refuse(name, op, "is the kernel of no op" .. suggest.hint(tostring(op), suggest.keys(rows)))
  elseif row.flags.view or op == "copy" then
    refuse(name, op, "is never asked: the engine does it itself")
  elseif type(kernel) ~= "function" then
    refuse(name, op, "must be a function, got " .. type(kernel))
  end
  return row.id
end

--- Make devices known, "name:0" to "name:n-1"; known ones get the new kernels.
-- @param name the accelerator's
-- @param devices how many
-- @param kernels functions by the op's name; each is called with
--   { op =, device =, inputs = { operand or nil, ... }, outputs = { operand, ... }, attributes = },
--   operands being { data = typed pointer, dtype =, count =, sizes = }, and returns false, before
--   it touches an output, for what it does not take
-- @raise argument
function queue.define(name, devices, kernels)
  if type(kernels) ~= "table" then
    errors.raise("argument", ("%s: kernels must be a table of functions by op, got %s"):format(name,
      type(kernels)), { argument = "kernels" })
  end
  local rows, ids = require("perilune.ops").by_name, {}
  for op, kernel in pairs(kernels) do ids[#ids + 1] = check_kernel(name, op, kernel, rows) end
  engine.check(C.pl_queue_define(name, devices, ffi.new("int32_t[?]", #ids + 1, ids), #ids))
  kinds[name] = kernels
end

return queue
