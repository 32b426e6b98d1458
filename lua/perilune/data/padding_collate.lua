--- padding_collate{ ... }: a collate function for samples whose tensors have as many rows as they
-- like. Those of `fields` are padded behind their last row to the longest of the batch, and
-- `batch.lengths` says how many rows each had. Other fields are collated as ever.

local ffi = require "ffi"
local attributes = require "perilune.attributes"
local check = require "perilune.check"
local class = require "perilune.class"
local create = require "perilune.create"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local batch = require "perilune.data.batch"
local collate = require "perilune.data.collate"
local C = engine.C

local options = {
  { "padding_value", 0, doc = "what is put behind the last row" },
  { "fields", { 1 }, type = "list", doc = "which fields to pad, by position or name" },
  { "max_length", type = "integer", min = 1, doc = "pad to this, whatever the batch's longest" },
}

local padding = {}

local out_pointer = ffi.new "void *[1]"

-- A list of numbers as collate makes it, i64 or f32.
local function from_list(numbers)
  local samples = {}
  for i, number in ipairs(numbers) do samples[i] = { number } end
  return collate(samples)[1]
end

local function sequence(value, field, i)
  if check.is_tensor(value) and value:dim() > 0 then return value end
  if type(value) == "table" and not check.is_tensor(value) and type(value[1]) == "number" then
    return from_list(value)
  end
  errors.raise("argument", ("padding_collate: field '%s' of sample %d of the batch must be a tensor"
    .. " with rows or a list of numbers, got %s"):format(tostring(field), i,
    check.describe(value)))
end

local function row_shape(t)
  return t:dim() == 1 and t.dtype or table.concat(t.shape, "x", 2) .. " " .. t.dtype
end

local function check_rows(list, field)
  for i, t in ipairs(list) do
    if row_shape(t) ~= row_shape(list[1]) then
      errors.raise("shape", ("padding_collate: rows of field '%s' are %s in sample 1 of the batch"
        .. " and %s in sample %d"):format(tostring(field), row_shape(list[1]), row_shape(t), i))
    end
  end
end

local function longest(o, list, field)
  local most = 0
  for _, t in ipairs(list) do most = math.max(most, t:size(1)) end
  if o.max_length and most > o.max_length then
    errors.raise("shape", ("padding_collate: field '%s' has a sample of %d rows, above max_length"
      .. " %d"):format(tostring(field), most, o.max_length), { argument = "max_length" })
  end
  return o.max_length or most
end

-- Sequences of one kind, stacked into samples x rows x ...
local function pad(o, list, field)
  check_rows(list, field)
  local first, rows = list[1], longest(o, list, field)
  local shape, row_bytes = { #list, rows }, C.pl_dtype_size(attributes.dtypes[first.dtype])
  for axis = 2, first:dim() do
    shape[axis + 1] = first:size(axis)
    row_bytes = row_bytes * first:size(axis)
  end
  local padded = create.full(shape, o.padding_value or 0, { dtype = first.dtype, device = "cpu" })
  engine.check(C.pl_tensor_data(padded._h, out_pointer))
  local at = ffi.cast("char *", out_pointer[0])
  for i, t in ipairs(list) do
    engine.check(C.pl_tensor_read(t._h, at + (i - 1) * rows * row_bytes, t:size(1) * row_bytes))
  end
  return padded
end

-- Lists of whole numbers beside others become f32, as they would in one list.
local function column(samples, field)
  local list, lengths, whole = {}, {}, true
  for i, sample in ipairs(samples) do
    list[i] = sequence(sample[field], field, i)
    lengths[i] = list[i]:size(1)
    whole = whole and list[i].dtype == "i64"
  end
  for i, sample in ipairs(samples) do
    if not whole and not check.is_tensor(sample[field]) then list[i] = list[i]:to "f32" end
  end
  return list, create.tensor(lengths, { dtype = "i64" })
end

local function without(samples, fields)
  local rest = {}
  for i, sample in ipairs(samples) do
    rest[i] = {}
    for key, value in pairs(sample) do rest[i][key] = value end
    for _, field in ipairs(fields) do rest[i][field] = nil end
  end
  return rest
end

-- An object, so that it reaches workers by its fields.
local PaddingCollate = class("PaddingCollate")
padding.PaddingCollate = PaddingCollate

function PaddingCollate:init(o)
  self.padding_value, self.fields, self.max_length = o.padding_value, o.fields, o.max_length
end

function PaddingCollate:__call(samples)
  local out, lengths = collate(without(samples, self.fields)), {}
  for _, field in ipairs(self.fields) do
    local list
    list, lengths[field] = column(samples, field)
    out[field] = pad(self, list, field)
  end
  out.lengths = #self.fields == 1 and lengths[self.fields[1]] or lengths
  return batch.make(out)
end

--- Make a collate function, for a DataLoader's `collate_fn`.
-- @param o optional { padding_value = 0, fields = { 1 }, max_length = the batch's longest }
-- @return a function; its batches have `lengths`, an i64 tensor, or where several fields are padded
--   a table of them by field
function padding.padding_collate(...)
  return PaddingCollate(check.call(options, "padding_collate", ...))
end

return padding
