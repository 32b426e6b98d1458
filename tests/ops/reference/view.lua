-- What the views mean: copies of the elements they show.

local array = require "tests.ops.array"
local build = array.build

local R = {}

local function reshaped(x, shape) return array.new(shape, x.data) end

function R.reshape(a, x)
  local shape, known, free = {}, 1, nil
  for d, size in ipairs(a.sizes) do
    shape[d] = size
    if size == -1 then free = d else known = known * size end
  end
  if free then shape[free] = #x.data / known end
  return reshaped(x, shape)
end

function R.flatten(a, x)
  local first, last = array.dim(a.first or 1, #x.shape), array.dim(a.last or -1, #x.shape)
  local shape, run = {}, 1
  if #x.shape == 0 then return reshaped(x, { 1 }) end
  for d, size in ipairs(x.shape) do
    if d >= first and d <= last then
      run = run * size
      if d == last then shape[#shape + 1] = run end
    else
      shape[#shape + 1] = size
    end
  end
  return reshaped(x, shape)
end

function R.permute(a, x)
  local order = {}
  for i, d in ipairs(a.axes) do order[i] = array.dim(d, #x.shape) end
  return array.permute(x, order)
end

function R.transpose(a, x)
  local order, rank = {}, #x.shape
  for d = 1, rank do order[d] = d end
  local first, second = array.dim(a.first, rank), array.dim(a.second, rank)
  order[first], order[second] = second, first
  return array.permute(x, order)
end

function R.expand(a, x)
  local shape = { unpack(a.sizes) }
  local shift = #shape - #x.shape
  for d = 1, #shape do
    if shape[d] == -1 then shape[d] = x.shape[d - shift] end
  end
  return build(shape, function(at) return array.broadcast_at(x, at, #shape) end)
end

function R.narrow(a, x)
  local axis, step = array.dim(a.axis, #x.shape), a.step or 1
  local start = array.dim(a.start, x.shape[axis])
  local shape, from = { unpack(x.shape) }, {}
  shape[axis] = a.length
  return build(shape, function(at)
    for d = 1, #at do from[d] = d == axis and start - 1 + at[d] * step or at[d] end
    return array.at(x, from)
  end)
end

function R.select(a, x)
  local axis = array.dim(a.axis, #x.shape)
  local out = R.narrow({ axis = axis, start = a.index, length = 1 }, x)
  table.remove(out.shape, axis)
  return out
end

function R.squeeze(a, x)
  local set, shape = array.axis_set(a.axes, #x.shape), {}
  for d, size in ipairs(x.shape) do
    if not (set[d] and size == 1) then shape[#shape + 1] = size end
  end
  return reshaped(x, shape)
end

function R.unsqueeze(a, x)
  local shape = { unpack(x.shape) }
  table.insert(shape, array.dim(a.axis, #shape + 1), 1)
  return reshaped(x, shape)
end

local function strided_offset(a, at)
  local i = a.offset or 0
  for d, stride in ipairs(a.strides) do i = i + at[d] * stride end
  return i + 1
end

function R.as_strided(a, x)
  return build(a.sizes, function(at) return x.data[strided_offset(a, at)] end)
end

function R.write_view(a, x, other)
  local out = array.new(x.shape, { unpack(x.data) })
  array.each(a.sizes, function(at) out.data[strided_offset(a, at)] = array.at(other, at) end)
  return out
end

return R
