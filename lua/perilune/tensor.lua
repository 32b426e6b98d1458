--- Tensors: a Lua table with a handle (_h), the id of the op that made it (_op) and, outside
-- scopes, a reference whose finalizer gives it back (_ref). Methods are the rows of the op table
-- and what is written here; properties are computed on reading.

local ffi = require "ffi"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local ops = require "perilune.ops"
local suggest = require "perilune.suggest"
local attributes = require "perilune.attributes"
local keys = require "perilune.tensor.keys"
local sizes = require "perilune.tensor.sizes"

local C, state = engine.C, engine.context
local type, getmetatable, rawset = type, getmetatable, rawset

local tensor = {}
local methods = {}
local properties = {}
local Tensor = { __name = "Tensor" }
tensor.methods = methods

--- Whether a value is a tensor.
function tensor.is_tensor(value)
  return getmetatable(value) == Tensor
end
local is_tensor = tensor.is_tensor

-- ---- handles ----

local handle_out = ffi.new "double[4]"
local reference_out = ffi.new "pl_reference *[1]"
local info = ffi.new "pl_tensor_info"

--- A tensor outside every scope lives until the collector finds it unused. The finalizer is a C
-- function: one that could throw would end the process.
local function own(t)
  engine.check(C.pl_reference_new(t._h, reference_out))
  rawset(t, "_ref", ffi.gc(reference_out[0], C.pl_reference_free))
end

ops.bind(Tensor, own)
ops.build()

local wrap, check = ops.wrap, ops.check

local function describe(t)
  local status = C.pl_tensor_describe(t._h, info)
  if status ~= 0 then check(status, t, "tensor") end
  return info
end

--- A dtype by any of its names as the one used here; errors name the caller.
function tensor.check_dtype(name, caller)
  local dtype = attributes.dtype_of(name)
  if dtype then return dtype end
  errors.raise("dtype", ("%s: unknown dtype '%s'; there are %s"):format(caller, tostring(name),
    table.concat(attributes.dtype_names, ", ", 0)), { argument = "dtype" })
end

-- ---- properties ----

--- The sizes as a list; a.shape == b.shape compares them.
function properties.shape(t)
  local d, shape = describe(t), setmetatable({}, sizes)
  for i = 1, d.rank do shape[i] = tonumber(d.sizes[i - 1]) end
  return shape
end

--- A matrix transposed.
function properties.T(t) return methods.t(t) end

function properties.ndim(t) return describe(t).rank end
function properties.dtype(t) return attributes.dtype_names[describe(t).dtype] end
function properties.device(t) return engine.device_name(describe(t).device) end
function properties.requires_grad(t) return describe(t).requires_grad ~= 0 end
function properties.is_leaf(t) return describe(t).is_leaf ~= 0 end

--- The gradient of a leaf, or nil. Each read makes a new tensor over the same memory.
function properties.grad(t)
  check(C.pl_tensor_grad(t._h, handle_out), t, "grad")
  local handle = handle_out[0]
  return handle ~= 0 and wrap(handle) or nil
end

local setters = {}

function setters.grad(t, value)
  check(C.pl_tensor_set_grad(t._h, value and value._h or 0), t, "grad")
end

function setters.requires_grad(t, value) methods.requires_grad_(t, value) end

-- ---- shape and facts ----

--- The size of one dimension, or all sizes as a list.
function methods.size(t, axis)
  if axis == nil then return properties.shape(t) end
  local d = describe(t)
  local i = axis < 0 and axis + d.rank + 1 or axis
  if i < 1 or i > d.rank then
    errors.raise("shape", ("size: dimension %s does not exist: the tensor has %d (1..%d)"):format(
      tostring(axis), d.rank, d.rank), { op = "size" })
  end
  return tonumber(d.sizes[i - 1])
end

--- The number of dimensions.
function methods.dim(t) return describe(t).rank end
methods.ndimension = methods.dim

--- The number of elements.
function methods.numel(t) return tonumber(describe(t).count) end
methods.nelement = methods.numel

--- Strides in elements, as a list.
function methods.stride(t)
  local d, strides = describe(t), {}
  for i = 1, d.rank do strides[i] = tonumber(d.strides[i - 1]) end
  return strides
end

function methods.is_contiguous(t) return describe(t).is_dense ~= 0 end

--- How often the storage was updated.
function methods.version(t) return tonumber(describe(t).version) end

--- A pointer to the first element, typed; host devices only. Hold the tensor while you use it.
function methods.data_ptr(t)
  local out = ffi.new "void *[1]"
  check(C.pl_tensor_data(t._h, out), t, "data_ptr")
  return ffi.cast(attributes.c_types[properties.dtype(t)] .. " *", out[0])
end

-- ---- life ----

--- The tensor leaves every scope and its graph and lives until collected. One in memory that its
-- owner reuses (a loader's batch) is copied.
function methods.keep(t)
  check(C.pl_tensor_keep(t._h, handle_out), t, "keep")
  if handle_out[0] == t._h then
    if not rawget(t, "_ref") then own(t) end
    return t
  end
  local kept = setmetatable({ _h = handle_out[0], _op = t._op }, Tensor)
  own(kept)
  return kept
end

--- Hand a tensor over to a scope, 0 for none.
function tensor.adopt(t, scope)
  if rawget(t, "_ref") then return end
  check(C.pl_tensor_adopt(t._h, scope), t, "scope")
  if scope == 0 then own(t) end
end

--- The same storage without history.
function methods.detach(t)
  check(C.pl_tensor_detach(t._h, handle_out), t, "detach")
  return wrap(handle_out[0], t._op)
end

--- A copy with its own storage; gradients flow through it.
function methods.clone(t) return t:copy() end

--- The tensor itself where it is row-major without gaps, else a copy.
function methods.contiguous(t)
  return methods.is_contiguous(t) and t or t:copy()
end

--- t takes over other's storage, dtype, device and sizes; its identity stays, so optimizers that
-- hold it are right.
function methods.swap_(t, other)
  check(C.pl_tensor_swap(t._h, other._h), t, "swap_")
  return t
end

--- Whether gradients are to be collected in t; only leaves can be switched off.
function methods.requires_grad_(t, flag)
  check(C.pl_tensor_set_requires_grad(t._h, flag == false and 0 or 1), t, "requires_grad_")
  return t
end

-- ---- writing ----

local function source_handle(value, name)
  if is_tensor(value) then return value._h end
  if type(value) ~= "number" then
    errors.raise("argument", ("%s: the source must be a tensor or a number, got %s"):format(name,
      type(value)), { op = name })
  end
  engine.check(C.pl_tensor_number(value, handle_out))
  return handle_out[0]
end

local function assign(t, value, name)
  local source = source_handle(value, name)
  local status = C.pl_tensor_assign(t._h, source)
  if not is_tensor(value) then C.pl_tensor_release(source) end
  if status ~= 0 then ops.settle(status, ops.by_name.copy, t, value) end
  return t
end

--- t's elements become the source's, broadcast and converted.
function methods.copy_(t, source) return assign(t, source, "copy_") end
function methods.fill_(t, value) return assign(t, value, "fill_") end
function methods.zero_(t) return assign(t, 0, "zero_") end

-- ---- dtype and device ----

local function to_device(t, device)
  check(C.pl_tensor_to_device(t._h, engine.open(device), handle_out), t, "to")
  return wrap(handle_out[0], t._op)
end

--- Another dtype, device or both: t:to("f64"), t:to("cpu"), t:to{ dtype = "f64", device = "cpu" }.
function methods.to(t, target)
  local dtype, device
  if type(target) == "table" and not is_tensor(target) then
    dtype, device = target.dtype, target.device
  elseif is_tensor(target) then
    dtype, device = target.dtype, target.device
  elseif attributes.dtype_of(target) then
    dtype = target
  else
    device = target
  end
  if dtype then dtype = tensor.check_dtype(dtype, "to") end
  if device and device ~= t.device then t = to_device(t, device) end
  if dtype and dtype ~= t.dtype then t = t:cast(dtype) end
  return t
end

for name, dtype in pairs {
  float = "f32", double = "f64", half = "f16", bfloat16 = "bf16", long = "i64", int = "i32",
  byte = "u8",
} do
  methods[name] = function(t) return methods.to(t, dtype) end
end

function methods.bool(t) return t:ne(0) end
function methods.type_as(t, other) return methods.to(t, other.dtype) end
function methods.cpu(t) return methods.to(t, "cpu") end

--- The tensor on a CUDA device, the first if not given.
function methods.cuda(t, index) return methods.to(t, "cuda:" .. (index or 0)) end

-- ---- shorthands of ops ----

--- A matrix transposed.
function methods.t(t)
  if describe(t).rank ~= 2 then
    errors.raise("shape",
      ("t: the tensor has %d dimensions, t() takes matrices; use :transpose(a, b)")
      :format(info.rank), { op = "t" })
  end
  return t:transpose(1, 2)
end

methods.clip = function(t, ...) return t:clamp(...) end

for _, part in ipairs { "reading", "shaping", "mathematics", "picking", "sampling" } do
  for name, method in pairs(require("perilune.tensor." .. part)) do methods[name] = method end
end

-- ---- gradients ----

local backward = require "perilune.backward"

--- Gradients of every leaf that t depends on.
-- @param gradient of t's shape; may be left out for one element
-- @param options { retain_graph =, create_graph = }
function methods.backward(t, gradient, options)
  if gradient ~= nil and not is_tensor(gradient) then gradient, options = nil, gradient end
  local status = backward(t._h, gradient and gradient._h or 0, options)
  if status ~= 0 then
    ops.fail(status, { name = "backward", inputs = { { name = "the tensor" } } }, t)
  end
end

-- ---- names ----

--- The names that t.name may have.
function tensor.names()
  local names = suggest.keys(methods)
  for name in pairs(properties) do names[#names + 1] = name end
  for name, row in pairs(ops.by_name) do
    if not row.flags.internal then names[#names + 1] = name end
  end
  return names
end

local function op_method(name)
  local row = ops.by_name[name] or ops.by_name[name:match "^(.*)_$"]
  if not row or row.flags.internal or #row.inputs == 0 then return nil end
  local f = ops.functions[name]
  methods[name] = f
  return f
end

--- A method by its name, to be called as a function; nil where there is none.
function tensor.method(name)
  return methods[name] or type(name) == "string" and op_method(name) or nil
end

function Tensor.__index(t, key)
  local method = methods[key]
  if method then return method end
  local property = properties[key]
  if property then return property(t) end
  if type(key) ~= "string" then return keys.get(t, key) end
  method = op_method(key)
  if method then return method end
  if key:sub(1, 1) == "_" then return nil end
  errors.raise("argument", ("tensors have no '%s'%s"):format(key,
    suggest.hint(key, tensor.names())), { argument = key })
end

local function set(view, value) assign(view, value, "assignment") end

function Tensor.__newindex(t, key, value)
  local setter = setters[key]
  if setter then return setter(t, value) end
  if type(key) ~= "string" then
    keys.set(t, key, value, set)
  elseif key:sub(1, 1) == "_" then
    rawset(t, key, value)
  else
    errors.raise("argument", ("tensors have no field '%s' to set"):format(key), { argument = key })
  end
end

-- ---- operators ----

local f = ops.functions

function Tensor.__add(a, b) return f.add(a, b) end
function Tensor.__sub(a, b) return f.sub(a, b) end
function Tensor.__mul(a, b) return f.mul(a, b) end
function Tensor.__div(a, b) return f.div(a, b) end
function Tensor.__pow(a, b) return f.pow(a, b) end
function Tensor.__unm(a) return f.neg(a) end
function Tensor.__mod(a, b) return methods.remainder(a, b) end

local function refuse_order()
  errors.raise("argument", "tensors are compared by methods: a:lt(b), a:le(b), a:gt(b), a:ge(b)")
end
Tensor.__lt, Tensor.__le = refuse_order, refuse_order

function Tensor.__tostring(t) return require("perilune.tensor_text")(t) end

function Tensor.__concat(a, b) return tostring(a) .. tostring(b) end


Tensor.__names = tensor.names

tensor.metatable = Tensor
tensor.wrap = wrap
tensor.scope = function() return state.scope end

return tensor
