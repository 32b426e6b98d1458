-- What pooling means: for every output element the list of elements its window holds.

local array = require "tests.ops.array"

local R = {}

local function pair(v, default)
  if v == nil or (type(v) == "table" and #v == 0) then return default end
  if type(v) == "number" then return { v, v } end
  return { v[1], v[2] or v[1] }
end

--- Windows of one axis: list of { positions (from 0) inside, counted }.
local function fixed_windows(a, axis, size)
  local kernel = pair(a.kernel)[axis]
  local stride = (pair(a.stride, nil) or pair(a.kernel))[axis]
  local padding, dilation = pair(a.padding, { 0, 0 })[axis], pair(a.dilation, { 1, 1 })[axis]
  local room = size + 2 * padding - dilation * (kernel - 1) - 1
  local n = (a.ceil_mode and math.ceil or math.floor)(room / stride) + 1
  if a.ceil_mode and (n - 1) * stride >= size + padding then n = n - 1 end
  local windows = {}
  for i = 0, n - 1 do
    local inside, padded = {}, 0
    for k = 0, kernel - 1 do
      local p = i * stride - padding + k * dilation
      if p >= 0 and p < size then inside[#inside + 1] = p end
      if p < size + padding then padded = padded + 1 end
    end
    windows[i + 1] = { inside, a.count_include_pad == false and #inside or padded }
  end
  return windows
end

local function adaptive_windows(n, size)
  local windows = {}
  for i = 0, n - 1 do
    local inside = {}
    for p = math.floor(i * size / n), math.ceil((i + 1) * size / n) - 1 do
      inside[#inside + 1] = p
    end
    windows[i + 1] = { inside, #inside }
  end
  return windows
end

--- f(output place, list of input places, counted) for every window; answers the output's shape.
local function each_window(shape, rows, columns, f)
  local out, r = { unpack(shape) }, #shape
  out[r - 1], out[r] = #rows, #columns
  array.each(out, function(at, i)
    local row, column, list = rows[at[r - 1] + 1], columns[at[r] + 1], {}
    local plane = math.floor((i - 1) / (#rows * #columns)) * shape[r - 1]
    for _, y in ipairs(row[1]) do
      for _, x in ipairs(column[1]) do list[#list + 1] = (plane + y) * shape[r] + x + 1 end
    end
    f(i, list, row[2] * column[2])
  end)
  return out
end

local function pooled(x, rows, columns, fold)
  local data = {}
  local shape = each_window(x.shape, rows, columns, function(i, list, counted)
    local values = {}
    for k, at in ipairs(list) do values[k] = x.data[at] end
    data[i] = fold(values, counted)
  end)
  return array.new(shape, data)
end

local function largest(values)
  local best = -math.huge
  for _, v in ipairs(values) do if v > best or v ~= v then best = v end end
  return best
end

local function mean(values, counted)
  local sum = 0
  for _, v in ipairs(values) do sum = sum + v end
  return sum / counted
end

local function sizes_of(x) return x.shape[#x.shape - 1], x.shape[#x.shape] end

local function fixed(a, h, w) return fixed_windows(a, 1, h), fixed_windows(a, 2, w) end

local function adaptive(a, h, w)
  local n = pair(a.sizes)
  return adaptive_windows(n[1], h), adaptive_windows(n[2], w)
end

local function pool(windows, fold)
  return function(a, x)
    local rows, columns = windows(a, sizes_of(x))
    return pooled(x, rows, columns, fold)
  end
end

R.max_pool2d = pool(fixed, largest)
R.avg_pool2d = pool(fixed, mean)
R.adaptive_max_pool2d = pool(adaptive, largest)
R.adaptive_avg_pool2d = pool(adaptive, mean)

local function large_shape(a, grad)
  local shape, plane = { unpack(grad.shape) }, pair(a.sizes)
  shape[#shape - 1], shape[#shape] = plane[1], plane[2]
  return shape
end

local function spread(a, grad, rows, columns)
  local shape = large_shape(a, grad)
  local out = array.build(shape, function() return 0 end)
  each_window(shape, rows, columns, function(i, list, counted)
    for _, at in ipairs(list) do out.data[at] = out.data[at] + grad.data[i] / counted end
  end)
  return out
end

function R.avg_pool2d_backward(a, grad)
  local plane = pair(a.sizes)
  return spread(a, grad, fixed(a, plane[1], plane[2]))
end

function R.adaptive_avg_pool2d_backward(a, grad)
  local plane = pair(a.sizes)
  local h, w = sizes_of(grad)
  return spread(a, grad, adaptive_windows(h, plane[1]), adaptive_windows(w, plane[2]))
end

function R.max_pool2d_backward(a, grad, position)
  local shape = large_shape(a, grad)
  local out, plane = array.build(shape, function() return 0 end), pair(a.sizes)
  local h, w = sizes_of(grad)
  for i, v in ipairs(grad.data) do
    local k = math.floor((i - 1) / (h * w)) * plane[1] * plane[2] + position.data[i] + 1
    out.data[k] = out.data[k] + v
  end
  return out
end

return R
