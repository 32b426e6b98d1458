-- From the input descriptions of samples.lua to values, and from values to tensors in every layout.
-- Values are the same in every run and exact in f32, so one reference serves all dtypes; the half
-- types see them rounded.

local pl = require "perilune"
local array = require "tests.ops.array"

local case = {}

--- A generator of whole numbers 0..n-1, the same in every run.
local function generator(seed)
  local state = seed * 7919 + 17
  return function(n)
    state = (state * 16807) % 2147483647
    return state % n
  end
end

--- n distinct numbers of low..high in mixed order, each an odd multiple of 1/8192 that differs
-- from the numbers of every other input (k).
local function distinct(n, low, high, k)
  local draw, values = generator(k), {}
  for i = 1, n do
    local v = low + (high - low) * (i - 0.5) / n
    values[i] = (math.floor(v * 512) * 16 + 2 * k - 1) / 8192
  end
  for i = n, 2, -1 do
    local j = draw(i) + 1
    values[i], values[j] = values[j], values[i]
  end
  return values
end

local function whole(values, dtype)
  for i, v in ipairs(values) do
    v = math.floor(v * 2)
    if dtype == "u8" then v = math.abs(v) end
    if dtype == "bool" then v = v % 2 end
    values[i] = v
  end
  return values
end

local function filled(shape, f)
  return array.build(shape, f).data
end

local floating = { f32 = true, f64 = true, f16 = true, bf16 = true }

--- The array a description stands for; k tells inputs of one call apart; others: inputs before it.
local function fill_one(spec, k, dtype, others)
  local data
  if spec.values then
    data, dtype = spec.values, spec.dtype ~= "same" and (spec.dtype or "f32") or dtype
  elseif type(spec.positions) == "table" then
    data, dtype = spec.positions, "i64"
  elseif spec.positions then
    local draw = generator(k)
    data, dtype = filled(spec.shape, function() return draw(spec.positions) + 1 end), "i64"
  elseif spec.mask then
    data, dtype = filled(spec.shape, function(_, i) return i * 5 % 3 % 2 end), "bool"
  elseif spec.few then
    data = filled(spec.shape, function(_, i) return (i * (k + 2)) % 5 - 2 end)
    if dtype == "u8" or dtype == "bool" then data = whole(data, dtype) end
  elseif spec.log_sum_of then
    local x = others[spec.log_sum_of]
    data = require("tests.ops.reference").logsumexp({ axes = { 2 } }, x).data
    dtype = floating[dtype] and dtype or "f32"
  else
    data = distinct(array.count(spec.shape), spec.low, spec.high, k)
    if not floating[dtype] then data = whole(data, dtype) end
  end
  return { shape = spec.shape, data = data, dtype = dtype, positions = spec.positions ~= nil,
    real = spec.low ~= nil }
end

--- Arrays of a half type with the values that one can hold.
local function rounded(x)
  if x.dtype == "bf16" or x.dtype == "f16" then x.data = case.read(case.tensor(x)).data end
  return x
end

--- The input arrays of a case: { array, or list of arrays, or false }.
function case.fill(inputs, dtype)
  local arrays = {}
  for k, spec in ipairs(inputs) do
    if spec and spec.list then
      local list = {}
      for j, item in ipairs(spec.list) do
        list[j] = rounded(fill_one(item, (k + j) % 7 + 1, dtype))
      end
      arrays[k] = list
    else
      arrays[k] = spec and rounded(fill_one(spec, k, dtype, arrays))
    end
  end
  return arrays
end

-- ---- tensors -----------------------------------------------------------------------------------

local function dense(x, dtype)
  if #x.data == 0 then return pl.empty(x.shape, { dtype = dtype }) end
  return pl.tensor(x.data, { dtype = dtype }):reshape(x.shape)
end

local layouts = { dense = dense }

--- Dimensions in reverse order in memory.
function layouts.transposed(x, dtype)
  local order = {}
  for d = 1, #x.shape do order[d] = #x.shape + 1 - d end
  if #order == 0 then return dense(x, dtype) end
  return dense(array.permute(x, order), dtype):permute(order)
end

--- Every second element of a larger tensor whose others hold rubbish.
function layouts.stepped(x, dtype)
  local shape, inside = {}, {}
  for d, size in ipairs(x.shape) do shape[d] = 2 * size + 1 end
  local big = array.build(shape, function(at)
    for d = 1, #at do
      if at[d] % 2 == 0 then return floating[dtype] and 0 / 0 or 1 end
      inside[d] = (at[d] - 1) / 2
    end
    return array.at(x, inside)
  end)
  local t = dense(big, dtype)
  for d, size in ipairs(x.shape) do
    t = t:narrow{ axis = d, start = 2, length = size, step = 2 }
  end
  return t
end

--- One line repeated along the first dimension: case.repeated makes the values fit.
function layouts.expanded(x, dtype)
  if not x.repeated then return dense(x, dtype) end
  local shape = { unpack(x.shape) }
  shape[1] = 1
  local line = array.build(shape, function(at) return array.at(x, at) end)
  return dense(line, dtype):expand(x.shape)
end

case.layouts = { "dense", "transposed", "stepped", "expanded" }

--- x with its first line repeated along the first dimension.
function case.repeated(x)
  if not x or #x.shape == 0 or x.shape[1] < 2 or x.positions then return x end
  local from = {}
  local out = array.build(x.shape, function(at)
    for d = 1, #at do from[d] = d == 1 and 0 or at[d] end
    return array.at(x, from)
  end, x.dtype)
  out.repeated, out.real = true, x.real
  return out
end

--- f of every array of a call, lists included.
function case.each(arrays, f)
  local out = {}
  for k, x in ipairs(arrays) do
    if x and not x.shape then
      out[k] = {}
      for j, item in ipairs(x) do out[k][j] = f(item, k, j) end
    else
      out[k] = x and f(x, k) or false
    end
  end
  return out
end

--- The tensor of an array. base: what positions count from (1 unless given).
function case.tensor(x, layout, base)
  layout = type(layout) == "string" and layout or "dense"
  if x.positions and base == 0 then
    local shifted = {}
    for i, p in ipairs(x.data) do shifted[i] = p > 0 and p - 1 or p end
    x = { shape = x.shape, data = shifted, dtype = x.dtype }
  end
  return layouts[layout](x, x.dtype)
end

--- The values of a tensor as an array.
function case.read(t)
  return array.new(t.shape, array.flatten(t:totable()), t.dtype)
end

return case
