--- Making tensors: from Lua values, constant, random, by rule. Sizes are given as numbers or as one
-- list; a trailing table holds { dtype =, device =, requires_grad = }.

local ffi = require "ffi"
local attributes = require "perilune.attributes"
local check = require "perilune.check"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local ops = require "perilune.ops"
local random = require "perilune.random"
local tensor = require "perilune.tensor"

local C, state = engine.C, engine.context

local create = {}

local OPTIONS = {
  { "dtype", type = "string", doc = "f32, f64, i64, i32, u8, bool, f16 or bf16" },
  { "device", type = "string", doc = "where it lives" },
  { "requires_grad", false, doc = "collect gradients in it" },
}

-- Checked options; a dtype under any of its names becomes the one used here.
local function options_of(name, ...)
  local options = check.call(OPTIONS, name, ...)
  if options.dtype then options.dtype = tensor.check_dtype(options.dtype, name) end
  return options
end

local function finish(t, options)
  if options.device and options.device ~= t.device then t = t:to(options.device) end
  if options.requires_grad then t:requires_grad_() end
  return t
end

local function is_list(value)
  return type(value) == "table" and not tensor.is_tensor(value)
end

--- Split (2, 3, { dtype = "f64" }) or ({ 2, 3 }, { ... }) into sizes and options.
local function sizes_and_options(name, ...)
  local arguments, n = { ... }, select("#", ...)
  local sizes, options = {}, {}
  for i = 1, n do
    local value = arguments[i]
    if type(value) == "number" then sizes[#sizes + 1] = value
    elseif is_list(value) and (value[1] ~= nil or (i == 1 and next(value) == nil)) then
      sizes = value
    elseif is_list(value) then options = value
    else
      errors.raise("argument", ("%s: sizes must be integers, got %s"):format(name, type(value)))
    end
  end
  if #sizes > 8 then
    errors.raise("shape", ("%s: %d dimensions asked for, at most 8 are possible"):format(name,
      #sizes), { op = name })
  end
  for _, size in ipairs(sizes) do
    if type(size) ~= "number" or size % 1 ~= 0 or size < 0 or size > 2 ^ 53 then
      errors.raise("shape", ("%s: a size must be an integer from 0 to 2^53, got %s"):format(name,
        tostring(size)), { op = name })
    end
  end
  return sizes, options_of(name, options)
end

-- ---- constant ----

local function filled(name, value, ...)
  local sizes, options = sizes_and_options(name, ...)
  local dtype = options.dtype or "f32"
  return finish(ops.functions.full(value, { sizes = sizes, dtype = dtype }), options)
end

function create.zeros(...) return filled("zeros", 0, ...) end
function create.ones(...) return filled("ones", 1, ...) end

--- Every element value: pl.full({ 2, 3 }, 7).
function create.full(sizes, value, options) return filled("full", value, sizes, options or {}) end

local shape_out = ffi.new "int64_t[8]"
local handle_out = ffi.new "double[1]"

local function make(sizes, dtype, name, device)
  if #sizes > 8 then
    errors.raise("shape", ("%s: %d dimensions, at most 8 are possible"):format(name, #sizes))
  end
  for i = 1, #sizes do shape_out[i - 1] = sizes[i] end
  local status = C.pl_tensor_empty(device or state.device, attributes.dtypes[dtype], #sizes,
    shape_out, handle_out)
  if status ~= 0 then ops.fail(status) end
  return tensor.wrap(handle_out[0])
end

--- Memory as it comes; write before reading.
function create.empty(...)
  local sizes, options = sizes_and_options("empty", ...)
  return finish(make(sizes, options.dtype or "f32", "empty"), options)
end

function create.zeros_like(t, options)
  return create.zeros(t.shape, options or { dtype = t.dtype })
end

function create.ones_like(t, options)
  return create.ones(t.shape, options or { dtype = t.dtype })
end

function create.empty_like(t, options)
  return create.empty(t.shape, options or { dtype = t.dtype })
end

function create.rand_like(t) return create.rand(t.shape, { dtype = t.dtype }):to(t.device) end
function create.randn_like(t) return create.randn(t.shape, { dtype = t.dtype }):to(t.device) end

function create.full_like(t, value) return create.full(t.shape, value, { dtype = t.dtype }) end

-- ---- from Lua values ----

local function measure(data, sizes)
  local value = data
  while is_list(value) do
    sizes[#sizes + 1] = #value
    value = value[1]
  end
  return value
end

local function is_cdata_number(value)
  return type(value) == "cdata" and tonumber(value) ~= nil
end

--- Writes nested lists into cells; answers the next place.
local function pour(data, sizes, axis, cells, at)
  if axis > #sizes then
    if type(data) == "boolean" then data = data and 1 or 0 end
    if type(data) ~= "number" and not is_cdata_number(data) then
      errors.raise("argument", ("tensor: elements must be numbers, got %s (dimensions must be"
        .. " regular)"):format(check.describe(data)))
    end
    cells[at] = data
    return at + 1
  end
  if not is_list(data) or #data ~= sizes[axis] then
    errors.raise("shape", ("tensor: dimension %d has rows of %d elements, one has %s"):format(axis,
      sizes[axis], is_list(data) and #data or "none"))
  end
  for i = 1, sizes[axis] do at = pour(data[i], sizes, axis + 1, cells, at) end
  return at
end

--- A tensor of a number, a boolean or nested lists. The CPU rounds to a half type: no device casts,
-- or compiles a cast, for values that come from Lua.
-- @param data the values
-- @param options { dtype = "f32" (bool for booleans), device =, requires_grad = }
function create.tensor(data, options)
  options = options_of("tensor", options)
  if tensor.is_tensor(data) then
    return finish(data:detach():clone():to(options.dtype or data.dtype), options)
  end
  local sizes = {}
  local first = measure(data, sizes)
  local dtype = options.dtype or (type(first) == "boolean" and "bool" or "f32")
  local half = dtype == "f16" or dtype == "bf16"
  local t = make(sizes, half and "f32" or dtype, "tensor", half and engine.open "cpu")
  local n, kind = t:numel(), attributes.c_types[half and "f32" or dtype]
  local cells = ffi.new(kind .. "[?]", math.max(n, 1))
  pour(data, sizes, 1, cells, 0)
  engine.check(C.pl_tensor_write(t._h, cells, n * ffi.sizeof(kind)))
  if half then t = t:to(dtype):to(options.device or engine.device_name(state.device)) end
  return finish(t, options)
end

--- A 0-d f32 tensor: a number that may change from step to step.
function create.scalar(value, options)
  if type(value) ~= "number" then
    errors.raise("argument", "scalar: the value must be a number, got " .. type(value))
  end
  return create.tensor(value, options)
end

-- ---- random ----

local function drawn(name, ...)
  local sizes, options = sizes_and_options(name, ...)
  return finish(ops.functions[name]{ sizes = sizes, dtype = options.dtype or "f32" }, options)
end

--- Uniform in [0, 1).
function create.rand(...) return drawn("rand", ...) end

--- Normal with mean 0 and deviation 1.
function create.randn(...) return drawn("randn", ...) end

--- i64, uniform in low..high, both included: pl.randint(1, 6, { 10 }), pl.randint(6, { 10 }).
function create.randint(low, high, sizes)
  if is_list(high) then low, high, sizes = 1, low, high end
  return ops.functions.randint(low, high, sizes)
end

--- A permutation of 1..n, i64. LuaJIT makes no larger array than its limit.
function create.randperm(n)
  check.value("randperm", "n", n, { type = "integer", min = 0, max = 2 ^ 28 - 1 })
  local s, out = random.state(), ffi.new("int64_t[?]", math.max(n, 1))
  C.pl_random_permutation(s.seed, random.streams.ops, s.step * 2 ^ 20 + s.calls, n, out)
  state.random_calls = state.random_calls + 1
  for i = 0, n - 1 do out[i] = out[i] + 1 end
  local t = make({ n }, "i64", "randperm")
  engine.check(C.pl_tensor_write(t._h, out, n * 8))
  return t
end

-- ---- by rule ----

local function is_whole(...)
  for i = 1, select("#", ...) do
    if select(i, ...) % 1 ~= 0 then return false end
  end
  return true
end

--- first, first + step, ... up to and including last; i64 where all are whole, else f32.
function create.arange(first, last, step, options)
  if is_list(last) then first, last, options = 1, first, last end
  if is_list(step) then step, options = 1, step end
  if last == nil then first, last = 1, first end
  step = step or 1
  options = options_of("arange", options)
  for _, number in ipairs { first, last, step } do
    if type(number) ~= "number" then
      errors.raise("argument", "arange: the bounds must be numbers")
    end
  end
  if step == 0 then errors.raise("argument", "arange: the step must not be 0") end
  local length = math.max(0, math.floor((last - first) / step + 1e-9) + 1)
  local dtype = options.dtype or (is_whole(first, last, step) and "i64" or "f32")
  return finish(ops.functions.arange(first, step, length, { dtype = dtype }), options)
end

--- n numbers from first to last, both included.
function create.linspace(first, last, n, options)
  check.value("linspace", "n", n, { type = "integer", min = 1 })
  options = options_of("linspace", options)
  local step = n > 1 and (last - first) / (n - 1) or 0
  return finish(ops.functions.arange(first, step, n, { dtype = options.dtype or "f32" }), options)
end

--- The identity matrix, or n rows of m columns with ones on the diagonal.
function create.eye(n, m, options)
  if is_list(m) then m, options = n, m end
  check.value("eye", "n", n, { type = "integer", min = 0 })
  check.value("eye", "m", m or n, { type = "integer", min = 0 })
  options = options_of("eye", options)
  local row, column = create.arange(1, m or n):unsqueeze(1), create.arange(1, n):unsqueeze(2)
  return finish(row:eq(column):cast(options.dtype or "f32"), options)
end

-- ---- joining ----

local function check_list(name, list)
  if is_list(list) then return end
  errors.raise("argument", ("%s: the tensors come in a list, pl.%s({ a, b }, 1), got %s"):format(
    name, name, check.describe(list)), { op = name })
end

--- Tensors joined along an axis that they have: pl.cat({ a, b }, 2), pl.cat({ a, b }, { dim = 2 }).
function create.cat(list, axis)
  check_list("cat", list)
  return ops.functions.cat(list, axis or 1)
end
create.concat = create.cat

--- Tensors joined along a new axis.
function create.stack(list, axis)
  check_list("stack", list)
  local wide = {}
  for i, t in ipairs(list) do wide[i] = t:unsqueeze(axis or 1) end
  return create.cat(wide, axis)
end

--- Tensors on top of each other, along dimension 1; vectors are rows.
function create.vstack(list)
  check_list("vstack", list)
  local rows = {}
  for i, t in ipairs(list) do rows[i] = t:dim() < 2 and t:reshape(1, -1) or t end
  return create.cat(rows, 1)
end

--- Tensors beside each other, along dimension 2; vectors end to end.
function create.hstack(list)
  check_list("hstack", list)
  return create.cat(list, list[1] and list[1]:dim() < 2 and 1 or 2)
end

return create
