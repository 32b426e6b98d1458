--- The rows of the op table, read from the engine's own description of it.

local ffi = require "ffi"
local attributes = require "perilune.attributes"
local C = require("perilune.engine").C

local mark_names = {
  optional = C.PL_OPTIONAL, list = C.PL_LIST, updated = C.PL_UPDATED, positions = C.PL_POSITIONS,
  saved = C.PL_SAVED, hidden = C.PL_HIDDEN, fixed = C.PL_FIXED,
}
local flag_names = {
  float = C.PL_FLOAT, promote = C.PL_PROMOTE, broadcast = C.PL_BROADCAST,
  pointwise = C.PL_POINTWISE, strided = C.PL_STRIDED, view = C.PL_VIEW, random = C.PL_RANDOM,
  cast_low = C.PL_CAST_LOW, cast_f32 = C.PL_CAST_F32, internal = C.PL_INTERNAL,
}

local function bits_of(value, names)
  local set = {}
  for name, mask in pairs(names) do set[name] = bit.band(value, mask) ~= 0 end
  return set
end

local function arguments_of(list, n)
  local out = {}
  for i = 1, n do
    out[i] = bits_of(list[i - 1].marks, mark_names)
    out[i].name = ffi.string(list[i - 1].name)
  end
  return out
end

--- The row of an id.
-- @return { id, name, signature, inputs, outputs, attributes, flags, family, doc, differentiable,
--   composite, has_lists }; inputs and outputs are lists of { name, optional, list, updated,
--   positions, saved, hidden, fixed }
return function(id)
  local info = C.pl_op(id)
  local row = {
    id = id, name = ffi.string(info.name), signature = ffi.string(info.signature),
    family = ffi.string(info.family), doc = ffi.string(info.doc),
    inputs = arguments_of(info["in"], info.n_in),
    outputs = arguments_of(info.out, info.n_out),
    flags = bits_of(info.flags, flag_names),
    differentiable = info.differentiable ~= 0, composite = info.composite ~= 0,
    has_lists = info.list_count > 0,
  }
  local list = attributes.declare(row.name, ffi.string(info.fields), ffi.string(info.defaults))
  row.attributes, row.fill = list, list.fill
  row.defaults, row.new_attributes, row.read = list.defaults, list.new, list.read
  return row
end
