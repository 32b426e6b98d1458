--- Source: what the samples of a dataset are made of, as C sees it: fields that are rows of tensors
-- (or of a file), a short list of transforms for each, and an index list. Immutable.
--
--   data.Source{ { images, cast = "f32", divide = 255 }, { labels, cast = "i64", add = 1 } }
--   data.Source{ { xs, name = "input" }, { ys, name = "target" } }      batches have these fields
--
-- Transforms of a field happen in the order cast, divide, add.

local ffi = require "ffi"
local attributes = require "perilune.attributes"
local check = require "perilune.check"
local class = require "perilune.class"
local create = require "perilune.create"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local suggest = require "perilune.suggest"
local tensor = require "perilune.tensor"
local draws = require "perilune.data.draws"
local C = require "perilune.data.ffi"

local Source = class("Source")

local out_source = ffi.new "pl_source *[1]"
local out_rows = ffi.new "pl_rows *[1]"
local info = ffi.new "pl_rows_info"
local out_pointer = ffi.new "void *[1]"

local dtype_names = attributes.dtype_names

local function take(status)
  engine.check(status)
  return ffi.gc(out_source[0], C.pl_source_free)
end

--- Open an idx file of u8; its header is checked, its contents are read at first use.
-- @param path the file, plain or gzip
-- @param rank how many dimensions it must have
-- @param channels true: its images get a first dimension of size 1
-- @return rows, for a field of a source
function Source.open_idx(path, rank, channels)
  engine.check(C.pl_rows_open_idx(check.path("Source.open_idx", path), rank, out_rows))
  local rows = ffi.gc(out_rows[0], C.pl_rows_free)
  if channels then engine.check(C.pl_rows_add_channel(rows)) end
  return rows
end

--- Complain unless u8 labels, as the file has them, are below `classes`.
function Source.check_labels(rows, classes)
  engine.check(C.pl_rows_check_labels(rows, classes))
end

--- How many rows there are.
function Source.count(rows)
  C.pl_rows_describe(rows, info)
  return tonumber(info.count)
end

local function rows_of(value)
  if not tensor.is_tensor(value) then return value end
  engine.check(C.pl_rows_of_tensor(value:detach():to("cpu"):contiguous()._h, out_rows))
  return ffi.gc(out_rows[0], C.pl_rows_free)
end

local transforms = { "cast", "divide", "add" }
local known = { cast = true, divide = true, add = true, name = true }

local function refuse_unknown(given)
  for key in pairs(given) do
    if key ~= 1 and not known[key] then
      errors.raise("argument", ("Source: a field has no '%s'%s"):format(tostring(key),
        suggest.hint(key, suggest.keys(known))), { argument = key })
    end
  end
end

local function fill_transforms(field, given)
  refuse_unknown(given)
  local n = 0
  for kind, name in ipairs(transforms) do
    local value = given[name]
    if value ~= nil then
      local t = field.transforms[n]
      t.kind = kind - 1
      if name == "cast" then
        t.dtype = attributes.dtypes[value] or -1
      else
        t.value = value
      end
      n = n + 1
    end
  end
  field.transform_count = n
end

local function describe(self)
  local fields = {}
  for k = 1, C.pl_source_fields(self.handle) do
    engine.check(C.pl_source_describe(self.handle, k - 1, info))
    local shape = {}
    for i = 1, info.rank do shape[i] = tonumber(info.sizes[i - 1]) end
    fields[k] = { dtype = dtype_names[info.dtype], shape = shape, key = self.names[k] or k }
  end
  return fields
end

--- Make a source around a C object.
local function wrap(handle, names, calls)
  local self = setmetatable({ handle = handle, names = names, calls = calls }, Source)
  self.fields = describe(self)
  return self
end

--- Make a source of fields.
-- @param given list of fields: { tensor or rows, cast = dtype, divide = number, add = number,
--   name = string }; all must have as many rows
function Source:init(given)
  local fields = ffi.new("pl_field[?]", math.max(#given, 1))
  local held = {}
  self.names, self.calls = {}, 0
  for k, one in ipairs(given) do
    held[k] = rows_of(one[1])
    fields[k - 1].rows = held[k]
    fill_transforms(fields[k - 1], one)
    self.names[k] = one.name
  end
  self.handle = take(C.pl_source_new(fields, #given, out_source))
  self.fields = describe(self)
end

--- How many samples it has.
function Source:size()
  return tonumber(C.pl_source_size(self.handle))
end

--- The samples at some positions, in that order.
-- @param positions int64 array, counted from 0
-- @param n how many
function Source:select(positions, n)
  local handle = take(C.pl_source_select(self.handle, positions, n, out_source))
  return wrap(handle, self.names, self.calls)
end

--- One source after the other.
-- @param sources list of sources whose fields agree
function Source.concat(sources)
  local handles = ffi.new("pl_source *[?]", math.max(#sources, 1))
  local calls = 0
  for i, source in ipairs(sources) do
    handles[i - 1], calls = source.handle, math.max(calls, source.calls)
  end
  return wrap(take(C.pl_source_concat(handles, #sources, out_source)), sources[1].names, calls)
end

local function field_number(self, key, step)
  for k, field in ipairs(self.fields) do
    if field.key == key then return k end
  end
  errors.raise("argument", ("%s: samples have no field '%s'; fields = { ... } says which")
    :format(step, tostring(key)), { argument = "fields" })
end

--- The same samples, changed.
-- @param transform a data.Transform
function Source:transformed(transform)
  local handle = self.handle
  local calls = transform:each(self.calls, function(step, field, name)
    local k = field_number(self, field, name)
    handle = take(C.pl_source_transform(handle, k - 1, step, 1, out_source))
  end)
  return wrap(handle, self.names, calls)
end

local function read_field(self, i, k, key)
  local field = self.fields[k]
  local value = create.empty(field.shape, { dtype = field.dtype, device = "cpu" })
  engine.check(C.pl_tensor_data(value._h, out_pointer))
  engine.check(C.pl_source_read(self.handle, i - 1, k - 1, key, out_pointer[0]))
  return value
end

--- The fields of sample i as tensors. Outside a loader its steps draw anew each time.
-- @return as many tensors as there are fields
function Source:read(i)
  local values, key = {}, draws.key()
  for k = 1, #self.fields do values[k] = read_field(self, i, k, key) end
  return unpack(values)
end

--- A field of all samples as one tensor, a row each. Outside a loader its steps draw anew.
-- @param k the field's number
function Source:column(k)
  local field, n, key = self.fields[k], self:size(), draws.key()
  local values = create.empty({ n, unpack(field.shape) },
    { dtype = field.dtype, device = "cpu" })
  engine.check(C.pl_tensor_data(values._h, out_pointer))
  local to = ffi.cast("char *", out_pointer[0])
  local row_bytes = n > 0 and values:numel() / n * ffi.sizeof(attributes.c_types[field.dtype]) or 0
  for i = 0, n - 1 do
    engine.check(C.pl_source_read(self.handle, i, k - 1, key, to + i * row_bytes))
  end
  return values
end

-- How far up its classes an object's method is defined: 0 for the object itself.
local function depth_of(object, name)
  local depth, at = 0, object
  while at do
    if rawget(at, name) ~= nil then return depth end
    depth, at = depth + 1, depth == 0 and getmetatable(object) or rawget(at, "super")
  end
  return depth
end

--- The source of a dataset, unless a subclass overrides `get` or `size` further down than
-- `source`: then only `get` knows what the samples are.
function Source.of(dataset)
  if not dataset.source then return nil end
  local depth = depth_of(dataset, "source")
  if depth_of(dataset, "get") < depth or depth_of(dataset, "size") < depth then return nil end
  return dataset:source()
end

return Source
