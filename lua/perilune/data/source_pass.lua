--- A pass over a dataset with a source: C assembles the batches, one FFI call each, in buffers that
-- are used again. A batch stays as it is until the next one is asked for; `t:keep()` copies.
-- The buffers go back to their loader when a pass ends; a pass that was left keeps its own, so that
-- two passes at once never share them.

local ffi = require "ffi"
local attributes = require "perilune.attributes"
local create = require "perilune.create"
local engine = require "perilune.engine"
local tensor = require "perilune.tensor"
local batch = require "perilune.data.batch"
local C = require "perilune.data.ffi"

local SLOTS = tonumber(C.PL_LOADER_SLOTS)
local check = engine.check

local Buffers = {}
Buffers.__index = Buffers

local out_loader = ffi.new "pl_loader *[1]"
local out_staging = ffi.new "void *[1]"
local out_plan = ffi.new "int64_t *[2]"
local out_batch = ffi.new "pl_batch"

local ahead = { [true] = C.PL_AHEAD_ALWAYS, [false] = C.PL_AHEAD_NEVER }

-- A tensor of no scope.
local function free_of_scopes(t)
  tensor.adopt(t, 0)
  return t
end

local function bind(self, slot, k)
  local field = self.source.fields[k]
  local whole = free_of_scopes(create.empty({ self.max_rows, unpack(field.shape) },
    { dtype = field.dtype, device = self.device }))
  check(C.pl_loader_bind(self.handle, slot, k - 1, whole._h, out_staging))
  if out_staging[0] ~= nil then
    self.staging[slot][k], self.staged = out_staging[0], true
  end
  return whole
end

local function make_slots(self)
  for slot = 0, SLOTS - 1 do
    self.staging[slot], self.whole[slot], self.ready[slot] = {}, {}, {}
    for k = 1, #self.source.fields do self.whole[slot][k] = bind(self, slot, k) end
  end
end

local function new_buffers(loader, source, max_rows)
  local prefetch = loader.prefetch
  check(C.pl_loader_new(source.handle, max_rows, ahead[prefetch] or C.PL_AHEAD_AUTO, out_loader))
  local self = setmetatable({
    handle = ffi.gc(out_loader[0], C.pl_loader_free),
    source = source, max_rows = max_rows, device = loader.device,
    staging = {}, staged = false, whole = {}, ready = {},
  }, Buffers)
  make_slots(self)
  return self
end

--- Set up the plan of a pass.
local function start(self, plan, seed, epoch)
  check(C.pl_loader_plan(self.handle, plan.n, plan.batches, out_plan, out_plan + 1))
  ffi.copy(out_plan[0], plan.positions, plan.n * 8)
  ffi.copy(out_plan[1], plan.ends, plan.batches * 8)
  check(C.pl_loader_start(self.handle, seed, epoch))
end

-- The views of a slot's tensors that hold `rows` rows, and the batch table that shows them.
local function prepare(self, slot, rows)
  local views = { fields = {} }
  for k, whole in ipairs(self.whole[slot]) do
    views.fields[k] = rows == self.max_rows and whole
      or free_of_scopes(whole:narrow(1, 1, rows):detach())
  end
  views.batch = batch.make({})
  self.ready[slot][rows] = views
  return views
end

local function row_bytes(field)
  local elements = 1
  for _, size in ipairs(field.shape) do elements = elements * size end
  return elements * C.pl_dtype_size(attributes.dtypes[field.dtype])
end

local function write_staged(self, slot, rows, views)
  for k = 1, #views.fields do
    local bytes = rows * row_bytes(self.source.fields[k])
    check(C.pl_tensor_write(views.fields[k]._h, self.staging[slot][k], bytes))
  end
end

local Pass = {}
Pass.__index = Pass

--- End the pass early; its batches are no longer valid.
function Pass:close()
  local buffers = self.buffers
  if not buffers then return end
  self.buffers = nil
  C.pl_loader_stop(buffers.handle)
  local idle = self.loader.idle_buffers
  idle[#idle + 1] = buffers
end

-- The user may have put other values into the table of an earlier batch.
local function refresh(views, keys)
  local values, fields = views.batch, views.fields
  for k = 1, #keys do values[keys[k]] = fields[k] end
  return values
end

local function next_batch(pass)
  local buffers = pass.buffers
  if not buffers then return nil end
  check(C.pl_loader_next(buffers.handle, out_batch))
  local rows, slot = tonumber(out_batch.rows), out_batch.slot
  if rows == 0 then
    pass:close()
    return nil
  end
  local views = buffers.ready[slot][rows] or prepare(buffers, slot, rows)
  if buffers.staged then write_staged(buffers, slot, rows, views) end
  return refresh(views, pass.keys)
end

local function take_buffers(loader, source, max_rows)
  local buffers = table.remove(loader.idle_buffers)
  if buffers and buffers.source == source and buffers.max_rows == max_rows then return buffers end
  return new_buffers(loader, source, max_rows)
end

--- Start a pass.
-- @return what a `for` loop takes; the second value has `close()`
return function(loader, source, plan, seed, epoch)
  local buffers = take_buffers(loader, source, plan.max_rows)
  start(buffers, plan, seed, epoch)
  local keys = {}
  for k, field in ipairs(source.fields) do keys[k] = field.key end
  return next_batch, setmetatable({ loader = loader, buffers = buffers, keys = keys }, Pass)
end
