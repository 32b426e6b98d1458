-- Plain Lua arrays for the references of the op tests: { shape, data, dtype }, data flat and
-- row-major, every value a double. Nothing here touches the engine; that independence is the point.

local array = {}

function array.count(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

function array.new(shape, data, dtype)
  return { shape = shape, data = data, dtype = dtype }
end

--- Row-major strides in elements.
function array.strides(shape)
  local strides, step = {}, 1
  for d = #shape, 1, -1 do
    strides[d] = step
    step = step * shape[d]
  end
  return strides
end

--- Calls f(position, flat) for every position of shape in row-major order; position (from 0) is
-- one table, changed from call to call; flat counts from 1.
function array.each(shape, f)
  local n, rank, at = array.count(shape), #shape, {}
  for d = 1, rank do at[d] = 0 end
  for i = 1, n do
    f(at, i)
    local d = rank
    while d >= 1 do
      at[d] = at[d] + 1
      if at[d] < shape[d] then break end
      at[d] = 0
      d = d - 1
    end
  end
end

--- An array of shape with f(position) as values.
function array.build(shape, f, dtype)
  local data = {}
  array.each(shape, function(at, i) data[i] = f(at, i) end)
  return array.new(shape, data, dtype)
end

--- The value of x at a position from 0.
function array.at(x, at)
  local i = 0
  for d, size in ipairs(x.shape) do i = i * size + at[d] end
  return x.data[i + 1]
end

--- The value of x at a position of a shape that x broadcasts to.
function array.broadcast_at(x, at, rank)
  local i, lead = 0, rank - #x.shape
  for d, size in ipairs(x.shape) do
    i = i * size + (size == 1 and 0 or at[lead + d])
  end
  return x.data[i + 1]
end

function array.broadcast_shape(list)
  local rank = 0
  for _, x in ipairs(list) do rank = math.max(rank, #x.shape) end
  local shape = {}
  for d = 1, rank do
    shape[d] = 1
    for _, x in ipairs(list) do
      local size = x.shape[d - rank + #x.shape] or 1
      if size ~= 1 then shape[d] = size end
    end
  end
  return shape
end

--- f of the broadcast elements of one, two or three arrays.
function array.map(f, x, y, z)
  local list = { x, y, z }
  local shape = array.broadcast_shape(list)
  local at_of, rank = array.broadcast_at, #shape
  return array.build(shape, function(at)
    return f(at_of(x, at, rank), y and at_of(y, at, rank), z and at_of(z, at, rank))
  end)
end

--- A dimension counted from 1 or from the end, counted from 1.
function array.dim(axis, rank)
  return axis < 0 and axis + rank + 1 or axis
end

--- The set of dimensions named by axes: a number, a list, or nil and {} for all of them.
function array.axis_set(axes, rank)
  local set = {}
  if type(axes) == "number" then axes = { axes } end
  if axes == nil or #axes == 0 then
    for d = 1, rank do set[d] = true end
  else
    for _, d in ipairs(axes) do set[array.dim(d, rank)] = true end
  end
  return set
end

--- f(list of the values along axes) for each remaining position.
function array.reduce(x, axes, keepdim, f)
  local set, kept, squeezed = array.axis_set(axes, #x.shape), {}, {}
  for d, size in ipairs(x.shape) do
    kept[d] = set[d] and 1 or size
    if not set[d] then squeezed[#squeezed + 1] = size end
  end
  local groups, strides = {}, array.strides(kept)
  for i = 1, array.count(kept) do groups[i] = {} end
  array.each(x.shape, function(at, i)
    local g = 1
    for d = 1, #at do g = g + (set[d] and 0 or at[d] * strides[d]) end
    groups[g][#groups[g] + 1] = x.data[i]
  end)
  local data = {}
  for i, values in ipairs(groups) do data[i] = f(values) end
  return array.new(keepdim and kept or squeezed, data)
end

--- f(list) must answer a list as long: applied to each line of x along axis.
function array.along(x, axis, f)
  axis = array.dim(axis, #x.shape)
  if #x.shape == 0 then return array.new({}, f(x.data)) end
  local strides, size, data = array.strides(x.shape), x.shape[axis], {}
  array.each(x.shape, function(at, i)
    if at[axis] ~= 0 then return end
    local line = {}
    for k = 1, size do line[k] = x.data[i + (k - 1) * strides[axis]] end
    for k, value in ipairs(f(line)) do data[i + (k - 1) * strides[axis]] = value end
  end)
  return array.new(x.shape, data)
end

--- Dimensions in another order (a list of dimensions counted from 1).
function array.permute(x, order)
  local shape = {}
  for d, from in ipairs(order) do shape[d] = x.shape[from] end
  local source = {}
  return array.build(shape, function(at)
    for d, from in ipairs(order) do source[from] = at[d] end
    return array.at(x, source)
  end, x.dtype)
end

--- Nested tables as tensor:totable() answers them, flattened (a number for 0-d).
function array.flatten(nested, into)
  into = into or {}
  if type(nested) ~= "table" then
    into[#into + 1] = nested == true and 1 or nested == false and 0 or tonumber(nested)
  else
    for _, item in ipairs(nested) do array.flatten(item, into) end
  end
  return into
end

return array
