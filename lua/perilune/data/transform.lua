--- Transform: steps that C does to a tensor of each sample (data.h has them). In a dataset with a
-- source they join the source's list and whole batches run in C; called on a sample, or as the
-- transform of a dataset that only has `get`, they run one by one, with the same numbers.

local ffi = require "ffi"
local attributes = require "perilune.attributes"
local check = require "perilune.check"
local class = require "perilune.class"
local create = require "perilune.create"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local tensor = require "perilune.tensor"
local draws = require "perilune.data.draws"
local C = require "perilune.data.ffi"

local Transform = class("Transform")

local kinds = {
  to_float = C.PL_STEP_TO_FLOAT, normalize = C.PL_STEP_NORMALIZE, random_crop = C.PL_STEP_CROP,
  horizontal_flip = C.PL_STEP_FLIP, random_erasing = C.PL_STEP_ERASE, resize = C.PL_STEP_RESIZE,
}

local dtype_names = attributes.dtype_names

--- Make a transform of steps.
-- @param steps list of { name =, fields = which values of a sample, and the fields of pl_step:
--   numbers, or lists of numbers }; plain data only
function Transform:init(steps)
  self.steps = steps
end

local structs = setmetatable({}, { __mode = "k" })

-- The C form of a step, made once.
local function struct_of(step)
  local s = structs[step]
  if s then return s end
  s = ffi.new "pl_step"
  s.kind = kinds[step.name]
  for name, value in pairs(step) do
    if type(value) == "number" then
      s[name] = value
    elseif name ~= "name" and name ~= "fields" then
      for i, item in ipairs(value) do s[name][i - 1] = item end
    end
  end
  structs[step] = s
  return s
end

local given, result = ffi.new "pl_rows_info", ffi.new "pl_rows_info"
local pointers = ffi.new "void *[2]"

local function describe(t)
  local elements = 1
  given.dtype, given.rank, given.count = attributes.dtypes[t.dtype], t:dim(), 1
  for i, size in ipairs(t.shape) do
    given.sizes[i - 1] = size
    elements = elements * size
  end
  given.row_elements = elements
  given.row_bytes = elements * C.pl_dtype_size(given.dtype)
end

local function result_shape()
  local shape = {}
  for i = 1, result.rank do shape[i] = tonumber(result.sizes[i - 1]) end
  return shape
end

local function run_step(s, key, value)
  local t = value:detach():to("cpu"):contiguous()
  describe(t)
  engine.check(C.pl_step_describe(s, given, result))
  local out = create.empty(result_shape(), { dtype = dtype_names[result.dtype], device = "cpu" })
  engine.check(C.pl_tensor_data(t._h, pointers))
  engine.check(C.pl_tensor_data(out._h, pointers + 1))
  engine.check(C.pl_step_run(s, given, key, pointers[0], pointers[1]))
  return out
end

local function apply(step, sample)
  local s = struct_of(step)
  local key, call = draws.key()
  s.call = call
  for _, field in ipairs(step.fields) do
    local value = sample[field]
    if not tensor.is_tensor(value) then
      errors.raise("argument", ("%s: field '%s' of the sample is %s; transforms take tensors, and"
        .. " fields = { ... } says which"):format(step.name, tostring(field),
        check.describe(value)), { argument = "fields" })
    end
    sample[field] = run_step(s, key, value)
  end
end

local function copy(sample)
  local out = {}
  for name, value in pairs(sample) do out[name] = value end
  return out
end

--- Change a sample.
-- @param first its values, or one table of named fields, which is copied
-- @return the same, with the fields of each step replaced
function Transform:__call(first, ...)
  local n = 1 + select("#", ...)
  local named = n == 1 and type(first) == "table" and not tensor.is_tensor(first)
  local sample = named and copy(first) or { first, ... }
  for _, step in ipairs(self.steps) do apply(step, sample) end
  if named then return sample end
  return unpack(sample, 1, n)
end

--- Call f(struct, field) for each step and field, the way a source appends them.
-- @param calls the call number of the first step
-- @return the call number that follows
function Transform:each(calls, f)
  for _, step in ipairs(self.steps) do
    local s = struct_of(step)
    s.call = calls
    for _, field in ipairs(step.fields) do f(s, field, step.name) end
    calls = calls + 1
  end
  return calls
end

return Transform
