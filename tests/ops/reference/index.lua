-- What indexing means. Positions count from 1.

local array = require "tests.ops.array"
local build = array.build

local function truth(b) return b and 1 or 0 end

local R = {}

--- x with each source element added where place(position) says; place fills a table in.
local function accumulate(x, source, place)
  local out, strides, to = array.new(x.shape, { unpack(x.data) }), array.strides(x.shape), {}
  array.each(source.shape, function(at, i)
    place(at, to)
    local flat = 1
    for d = 1, #to do flat = flat + to[d] * strides[d] end
    out.data[flat] = out.data[flat] + source.data[i]
  end)
  return out
end

function R.index_select(a, x, index)
  local axis, shape, from = array.dim(a.axis, #x.shape), { unpack(x.shape) }, {}
  shape[axis] = #index.data
  return build(shape, function(at)
    for d = 1, #at do from[d] = d == axis and index.data[at[d] + 1] - 1 or at[d] end
    return array.at(x, from)
  end)
end

function R.index_add(a, x, source, index)
  local axis = array.dim(a.axis, #x.shape)
  return accumulate(x, source, function(at, to)
    for d = 1, #at do to[d] = d == axis and index.data[at[d] + 1] - 1 or at[d] end
  end)
end

function R.gather(a, x, index)
  local axis, from = array.dim(a.axis, #x.shape), {}
  return build(index.shape, function(at, i)
    for d = 1, #at do from[d] = d == axis and index.data[i] - 1 or at[d] end
    return array.at(x, from)
  end)
end

function R.scatter_add(a, x, source, index)
  local axis = array.dim(a.axis, #x.shape)
  return accumulate(x, source, function(at, to)
    for d = 1, #at do to[d] = d == axis and array.at(index, at) - 1 or at[d] end
  end)
end

--- Each line in order: what it holds, and from which positions.
function R.sort(a, x)
  if #x.shape == 0 then return x, array.new({}, { 1 }, "i64") end
  local function order(pick)
    return array.along(x, a.axis or -1, function(line)
      local places = {}
      for i = 1, #line do places[i] = i end
      table.sort(places, function(i, j)
        if line[i] == line[j] then return i < j end
        if a.descending then return line[i] > line[j] end
        return line[i] < line[j]
      end)
      for i, place in ipairs(places) do places[i] = pick(line, place) end
      return places
    end)
  end
  local positions = order(function(_, place) return place end)
  positions.dtype = "i64"
  return order(function(line, place) return line[place] end), positions
end

function R.embedding(_, weight, index)
  local shape, width = { unpack(index.shape) }, weight.shape[2]
  shape[#shape + 1] = width
  return build(shape, function(at, i)
    local row = index.data[math.floor((i - 1) / width) + 1]
    return weight.data[(row - 1) * width + at[#at] + 1]
  end)
end

function R.one_hot(a, index)
  local shape = { unpack(index.shape) }
  shape[#shape + 1] = a.classes
  return build(shape, function(at, i)
    return truth(index.data[math.floor((i - 1) / a.classes) + 1] == at[#at] + 1)
  end, "i64")
end

function R.cat(a, list)
  local axis, shape = array.dim(a.axis or 1, #list[1].shape), { unpack(list[1].shape) }
  shape[axis] = 0
  for _, x in ipairs(list) do shape[axis] = shape[axis] + x.shape[axis] end
  local from = {}
  return build(shape, function(at)
    local k, rest = 1, at[axis]
    while rest >= list[k].shape[axis] do
      rest = rest - list[k].shape[axis]
      k = k + 1
    end
    for d = 1, #at do from[d] = d == axis and rest or at[d] end
    return array.at(list[k], from)
  end)
end

function R.pad(a, x)
  local shape, rank, before = {}, #x.shape, {}
  for d = 1, rank do
    local place = 2 * (rank - d)
    before[d] = a.padding[place + 1] or 0
    shape[d] = x.shape[d] + before[d] + (a.padding[place + 2] or 0)
  end
  local from = {}
  return build(shape, function(at)
    for d = 1, rank do
      from[d] = at[d] - before[d]
      if from[d] < 0 or from[d] >= x.shape[d] then return a.value or 0 end
    end
    return array.at(x, from)
  end)
end

return R
