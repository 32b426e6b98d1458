--- Methods that bring elements to Lua. They wait for the device.

local ffi = require "ffi"
local attributes = require "perilune.attributes"
local ops = require "perilune.ops"
local C = require("perilune.engine").C

local check = ops.check

local reading = {}

local item_out = ffi.new "double[1]"
local wide_out = ffi.new "int64_t[1]"

--- The value of a tensor of one element: a number, a boolean for bool, int64 cdata where a double
-- would not be exact.
function reading.item(t)
  check(C.pl_tensor_item(t._h, item_out), t, "item")
  local value = item_out[0]
  if value ~= value or (value < 2 ^ 53 and value > -2 ^ 53 and value ~= 0 and value ~= 1) then
    return value
  end
  local dtype = t.dtype
  if dtype == "bool" then return value ~= 0 end
  if dtype == "i64" and math.abs(value) >= 2 ^ 53 then
    check(C.pl_tensor_read(t._h, wide_out, 8), t, "item")
    return wide_out[0]
  end
  return value
end

--- The elements as a flat C array, row by row; halves come as f32, by way of the
-- CPU.
-- @param name the caller, in errors; "cells" if not given
-- @return the array, counted from 0
-- @return the sizes
-- @return the dtype of its elements
function reading.cells(t, name)
  local dtype = t.dtype
  if dtype == "f16" or dtype == "bf16" then
    t, dtype = t:detach():to("cpu"):cast "f32", "f32"
  end
  local shape, n = t.shape, t:numel()
  local cells = ffi.new(attributes.c_types[dtype] .. "[?]", math.max(n, 1))
  check(C.pl_tensor_numbers(t._h, cells, n * ffi.sizeof(attributes.c_types[dtype])), t,
    name or "cells")
  return cells, shape, dtype
end

local function value_of(cell, dtype)
  if dtype == "bool" then return cell ~= 0 end
  local number = tonumber(cell)
  if dtype == "i64" and math.abs(number) >= 2 ^ 53 then return cell end
  return number
end

local function nest(cells, shape, dtype, axis, at)
  if axis > #shape then return value_of(cells[at], dtype), at + 1 end
  local list = {}
  for i = 1, shape[axis] do list[i], at = nest(cells, shape, dtype, axis + 1, at) end
  return list, at
end

--- The elements as nested Lua tables; a number for a scalar.
function reading.totable(t)
  local cells, shape, dtype = reading.cells(t, "totable")
  return (nest(cells, shape, dtype, 1, 0))
end
reading.tolist = reading.totable

return reading
