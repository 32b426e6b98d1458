--- Attributes of ops: a C struct and the function that fills it from Lua arguments, both made from
-- the row's field list. A pl_dim counts from 1 here and from 0 in C; negative ones count from the
-- end in both.

local ffi = require "ffi"
local check = require "perilune.check"
local errors = require "perilune.errors"
local suggest = require "perilune.suggest"

local attributes = {}

ffi.cdef [[
typedef int32_t pl_dim;
typedef struct pl_dims { int32_t n; int32_t dim[8]; } pl_dims;
typedef struct pl_sizes { int64_t n; int64_t size[8]; } pl_sizes;
typedef int32_t pl_flag;
typedef int64_t pl_int;
typedef double pl_real;
typedef int32_t pl_dtype;
typedef int32_t pl_reduction;
typedef int32_t pl_activation;
]]

--- Names of the dtypes, numbered as in the engine.
attributes.dtypes = { bool = 0, u8 = 1, i32 = 2, i64 = 3, f16 = 4, bf16 = 5, f32 = 6, f64 = 7 }

--- The same, by number.
attributes.dtype_names = {}
for name, number in pairs(attributes.dtypes) do attributes.dtype_names[number] = name end

--- PyTorch's names of dtypes: pl.float32 is "f32".
attributes.dtype_synonyms = {
  uint8 = "u8", byte = "u8", int32 = "i32", int = "i32", int64 = "i64", long = "i64",
  float16 = "f16", half = "f16", bfloat16 = "bf16", float32 = "f32", float = "f32",
  float64 = "f64", double = "f64", bool = "bool",
}

--- A dtype by any of its names as the one used here, nil for what is none.
function attributes.dtype_of(name)
  if attributes.dtypes[name] then return name end
  return attributes.dtype_synonyms[name]
end

--- The C type that holds an element of a dtype on the host.
attributes.c_types = { bool = "uint8_t", u8 = "uint8_t", i32 = "int32_t", i64 = "int64_t",
  f16 = "uint16_t", bf16 = "uint16_t", f32 = "float", f64 = "double" }

local MAX_RANK = 8
local enums = {
  pl_dtype = attributes.dtypes,
  pl_reduction = { mean = 0, sum = 1, none = 2 },
  pl_activation = { none = 0, relu = 1 },
}

local function refuse(op, field, value, expected)
  errors.raise("argument", ("%s: %s must be %s, got %s"):format(op, field.name, expected,
    check.describe(value)),
    { op = op, argument = field.name })
end

local function is_integer(value)
  return type(value) == "number" and value % 1 == 0 and math.abs(value) <= 2 ^ 53
end

local function position(op, field, value)
  if not is_integer(value) then refuse(op, field, value, "an integer") end
  if math.abs(value) > 2 ^ 31 - 2 then refuse(op, field, value, "a position below 2^31") end
  if value == 0 then
    errors.raise("argument", ("%s: %s is 0, but positions count from 1 (or from -1, the last)")
      :format(op, field.name), { op = op, argument = field.name })
  end
  return value > 0 and value - 1 or value
end

local setters = {}

function setters.pl_dim(at, op, field, value)
  at[field.name] = position(op, field, value)
end

function setters.pl_flag(at, op, field, value)
  if type(value) ~= "boolean" then refuse(op, field, value, "true or false") end
  at[field.name] = value and 1 or 0
end

function setters.pl_int(at, op, field, value)
  if not is_integer(value) then refuse(op, field, value, "an integer") end
  at[field.name] = value
end

function setters.pl_real(at, op, field, value)
  if type(value) ~= "number" then refuse(op, field, value, "a number") end
  at[field.name] = value
end

local function list_of(op, field, value, expected)
  if check.is_tensor(value) then refuse(op, field, value, expected) end
  return type(value) == "table" and value or { value }
end

function setters.pl_dims(at, op, field, value)
  local list = list_of(op, field, value, "positions")
  if #list > MAX_RANK then refuse(op, field, value, "at most 8 positions") end
  local dims = at[field.name]
  dims.n = #list
  for i = 1, #list do dims.dim[i - 1] = position(op, field, list[i]) end
end

function setters.pl_sizes(at, op, field, value)
  local list = list_of(op, field, value, "sizes")
  if #list > MAX_RANK then
    errors.raise("shape", ("%s: %d dimensions asked for, at most %d are possible"):format(op, #list,
      MAX_RANK), { op = op, argument = field.name })
  end
  local sizes = at[field.name]
  sizes.n = #list
  for i = 1, #list do
    if not is_integer(list[i]) then refuse(op, field, list[i], "integers") end
    sizes.size[i - 1] = list[i]
  end
end

local function set_enum(at, op, field, value)
  local names = enums[field.type]
  if field.type == "pl_dtype" then value = attributes.dtype_of(value) or value end
  local number = names[value]
  if not number then
    local known = suggest.keys(names)
    table.sort(known)
    refuse(op, field, value, "one of " .. table.concat(known, ", "))
  end
  at[field.name] = number
end

for name in pairs(enums) do setters[name] = set_enum end

-- ---- reading a struct ----

local enum_names = {}
for kind, names in pairs(enums) do
  enum_names[kind] = {}
  for name, number in pairs(names) do enum_names[kind][number] = name end
end

local function position_of(number) return number >= 0 and number + 1 or number end

local getters = {
  pl_dim = position_of,
  pl_flag = function(value) return value ~= 0 end,
  pl_int = tonumber,
  pl_real = tonumber,
}

function getters.pl_dims(dims)
  local list = {}
  for i = 1, dims.n do list[i] = position_of(dims.dim[i - 1]) end
  return list
end

function getters.pl_sizes(sizes)
  local list = {}
  for i = 1, tonumber(sizes.n) do list[i] = tonumber(sizes.size[i - 1]) end
  return list
end

for kind, names in pairs(enum_names) do
  getters[kind] = function(value) return names[value] end
end

-- ---- defaults ----

local words = { ["true"] = true, ["false"] = false, inf = math.huge, ["-inf"] = -math.huge }

local function parse_default(text)
  if words[text] ~= nil then return words[text] end
  if text:sub(1, 1) == "(" then
    local list = {}
    for item in text:gmatch "-?%d+" do list[#list + 1] = tonumber(item) end
    return list
  end
  return tonumber(text) or text
end

-- What users of PyTorch and numpy call the axes of an op.
local synonyms = { dim = { "axis", "axes" }, axis = { "axes" }, dims = { "axes" } }

local function parse_fields(fields, defaults)
  local list, by_name = {}, {}
  for kind, name in fields:gmatch "([%w_]+)%s+([%w_]+)%s*;" do
    list[#list + 1] = { name = name, type = kind }
    by_name[name] = list[#list]
  end
  for name, text in defaults:gmatch "([%w_]+)=(%S+)" do
    by_name[name].default = parse_default(text)
  end
  for other, names in pairs(synonyms) do
    for _, name in ipairs(names) do by_name[other] = by_name[other] or by_name[name] end
  end
  return list, by_name
end

-- ---- arguments ----

local function is_vector(field)
  return field.type == "pl_dims" or field.type == "pl_sizes"
end

--- A table of named attributes rather than a list of positions or sizes.
local function is_named(value, field)
  if type(value) ~= "table" or check.is_tensor(value) then return false end
  if not field or not is_vector(field) then return true end
  return value[1] == nil and next(value) ~= nil
end

local function set_named(at, op, by_name, fields, options, set)
  for name, value in pairs(options) do
    local field = by_name[name]
    if not field then
      local known = {}
      for i, f in ipairs(fields) do known[i] = f.name end
      errors.raise("argument", ("%s: unknown attribute '%s'%s"):format(op, tostring(name),
        suggest.hint(tostring(name), known)), { op = op, argument = tostring(name) })
    end
    setters[field.type](at, op, field, value)
    set[field.name] = true
  end
end

--- Consecutive numbers from i on: t:reshape(2, 3) and t:permute(2, 1).
local function take_numbers(arguments, i)
  local list = {}
  while type(arguments[i]) == "number" do
    list[#list + 1] = arguments[i]
    i = i + 1
  end
  return list, i
end

local function set_positional(at, op, fields, by_name, arguments, n)
  local set, k, i = {}, 1, 1
  while i <= n do
    local value, field = arguments[i], fields[k]
    if value == nil then
      i = i + 1
    elseif is_named(value, field) then
      set_named(at, op, by_name, fields, value, set)
      i = i + 1
    elseif not field then
      errors.raise("argument", ("%s: argument %s is too much"):format(op, check.describe(value)),
        { op = op })
    else
      if is_vector(field) and type(value) == "number" then
        value, i = take_numbers(arguments, i)
      else
        i = i + 1
      end
      setters[field.type](at, op, field, value)
      set[field.name] = true
    end
    k = k + 1
  end
  return set
end

local function require_all(op, fields, set)
  for _, field in ipairs(fields) do
    if field.default == nil and not set[field.name] then
      errors.raise("argument", ("%s: %s is missing"):format(op, field.name),
        { op = op, argument = field.name })
    end
  end
end

--- Declare the attributes of a row.
-- @param op its name
-- @param text its fields, C declarations
-- @param defaults "name=value ..."
-- @return the row's list of { name, type, default }; list.fill(...) fills and returns a shared
--   struct, list.defaults is the struct of defaults (nil without fields), list.new makes one,
--   list.read(pointer) gives a struct's values by name, as fill takes them
function attributes.declare(op, text, defaults)
  local fields, by_name = parse_fields(text, defaults)
  if #fields == 0 then return fields end
  local struct = "pl_" .. op .. "_attrs"
  ffi.cdef(("typedef struct %s { %s int32_t end_; } %s;"):format(struct, text, struct))
  local kind = ffi.typeof(struct)
  local base, scratch = kind(), kind()
  local size = ffi.sizeof(kind)
  for _, field in ipairs(fields) do
    if field.default ~= nil then setters[field.type](base, op, field, field.default) end
  end
  local some_required = false
  for _, field in ipairs(fields) do some_required = some_required or field.default == nil end
  fields.defaults, fields.new = not some_required and base or nil, kind

  --- The struct for the arguments of one call; a prepared struct passes through.
  function fields.fill(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10)
    if type(a1) == "cdata" then return a1 end
    ffi.copy(scratch, base, size)
    local arguments = { a1, a2, a3, a4, a5, a6, a7, a8, a9, a10 }
    local set = set_positional(scratch, op, fields, by_name, arguments, 10)
    if some_required then require_all(op, fields, set) end
    return scratch
  end

  local pointer = ffi.typeof("const " .. struct .. " *")
  function fields.read(address)
    local at, values = ffi.cast(pointer, address), {}
    for _, field in ipairs(fields) do values[field.name] = getters[field.type](at[field.name]) end
    return values
  end
  return fields
end

return attributes
