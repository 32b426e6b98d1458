--- Batches: tables of positional or named fields. Reading a name that is none of them is an error
-- with "did you mean"; numbers stay free, so a batch may be read past its end.

local check = require "perilune.check"
local is_tensor = require("perilune.tensor").is_tensor

local batch = {}

local strict = getmetatable(check.strict_table({}, "batch"))

--- Make a table a batch, unless it has a metatable of its own.
-- @return the table
function batch.make(t)
  if getmetatable(t) == nil then setmetatable(t, strict) end
  return t
end

-- A table like this one that may be changed.
local function copy(t)
  local out = {}
  for key, value in next, t do out[key] = value end
  return setmetatable(out, getmetatable(t))
end

-- The value with every tensor t in it replaced by convert(t, target); itself where none changed.
local function converted(value, convert, target)
  if is_tensor(value) then return convert(value, target) end
  if type(value) ~= "table" then return value end
  local meta = getmetatable(value)
  if meta ~= nil and meta ~= strict then return value end
  local out = value
  for key, item in next, value do
    local new = converted(item, convert, target)
    if not rawequal(new, item) then
      if out == value then out = copy(value) end
      out[key] = new
    end
  end
  return out
end

local function on_device(t, device)
  return t.device == device and t or t:to(device)
end

local floating = { f16 = true, bf16 = true, f32 = true, f64 = true }

local function in_dtype(t, dtype)
  local own = t.dtype
  return (own == dtype or not floating[own]) and t or t:to(dtype)
end

--- A batch on a device: tensors in it and in plain tables in it.
-- @return the batch itself where all of it is there
function batch.to_device(t, device)
  return converted(t, on_device, device)
end

--- A batch whose floating tensors have a dtype.
-- @return the batch itself where all of them have it
function batch.to_dtype(t, dtype)
  return converted(t, in_dtype, dtype)
end

return batch
