--- collate(samples): a list of samples made into one batch, field by field. Tensors of one shape
-- are stacked along a new first dimension; numbers become a 1-D tensor, i64 if all are integers,
-- else f32; booleans a bool tensor; strings and other values stay a list.

local ffi = require "ffi"
local attributes = require "perilune.attributes"
local check = require "perilune.check"
local create = require "perilune.create"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local tensor = require "perilune.tensor"
local batch = require "perilune.data.batch"
local C = engine.C

local out_pointer = ffi.new "void *[1]"

local function same_shape(a, b)
  if a.dtype ~= b.dtype or a:dim() ~= b:dim() then return false end
  for i, size in ipairs(a.shape) do
    if b.shape[i] ~= size then return false end
  end
  return true
end

local function check_same(values, key)
  local first = values[1]
  for i = 2, #values do
    local value = values[i]
    if not tensor.is_tensor(value) or not same_shape(first, value) then
      errors.raise("shape", ("collate: field '%s' is %s in sample 1 of the batch and %s in sample"
        .. " %d; give a collate_fn that pads them"):format(tostring(key), check.describe(first),
        check.describe(value), i))
    end
  end
end

local function stack(values, key)
  check_same(values, key)
  local first = values[1]
  local shape = { #values, unpack(first.shape) }
  local stacked = create.empty(shape, { dtype = first.dtype, device = "cpu" })
  engine.check(C.pl_tensor_data(stacked._h, out_pointer))
  local bytes = first:numel() * C.pl_dtype_size(attributes.dtypes[first.dtype])
  local at = ffi.cast("char *", out_pointer[0])
  for i = 1, #values do
    engine.check(C.pl_tensor_read(values[i]._h, at + (i - 1) * bytes, bytes))
  end
  return stacked
end

local function numbers(values, key)
  local dtype = "i64"
  for i, value in ipairs(values) do
    if type(value) ~= "number" then
      errors.raise("argument", ("collate: field '%s' is a number in sample 1 of the batch and %s in"
        .. " sample %d"):format(tostring(key), check.describe(value), i))
    end
    if value % 1 ~= 0 or value - value ~= 0 then dtype = "f32" end
  end
  return create.tensor(values, { dtype = dtype })
end

local function join(values, key)
  local first = values[1]
  if tensor.is_tensor(first) then return stack(values, key) end
  if type(first) == "number" then return numbers(values, key) end
  if type(first) == "boolean" then return create.tensor(values, { dtype = "bool" }) end
  return values
end

--- Make a batch of samples.
-- @param samples list of tables with the same keys: { image, label } or { input =, target = }
-- @return a batch with these keys
local function collate(samples)
  local out = {}
  for key in pairs(samples[1]) do
    local values = {}
    for i, sample in ipairs(samples) do
      values[i] = sample[key]
      if values[i] == nil then
        errors.raise("argument", ("collate: field '%s' is missing in sample %d of the batch")
          :format(tostring(key), i))
      end
    end
    out[key] = join(values, key)
  end
  return batch.make(out)
end

return collate
