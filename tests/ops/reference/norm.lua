-- What normalisation means: groups of elements brought to mean 0 and variance 1, then scaled.

local array = require "tests.ops.array"

local R = {}

--- Mean and divided-by-n variance of the elements for which group(at) answers the same key.
local function statistics(x, group)
  local sums, squares, counts = {}, {}, {}
  array.each(x.shape, function(at, i)
    local key = group(at)
    sums[key], counts[key] = (sums[key] or 0) + x.data[i], (counts[key] or 0) + 1
  end)
  array.each(x.shape, function(at, i)
    local key = group(at)
    squares[key] = (squares[key] or 0) + (x.data[i] - sums[key] / counts[key]) ^ 2
  end)
  local mean, var = {}, {}
  for key, n in pairs(counts) do mean[key], var[key] = sums[key] / n, squares[key] / n end
  return mean, var, counts
end

local function normalised(x, group, mean, var, eps, affine)
  return array.build(x.shape, function(at, i)
    local key = group(at)
    local w, b = affine(at)
    return (x.data[i] - mean[key]) / math.sqrt(var[key] + eps) * w + b
  end)
end

local function channel(at) return at[2] + 1 end

local function per_channel(weight, bias)
  return function(at)
    return weight and weight.data[at[2] + 1] or 1, bias and bias.data[at[2] + 1] or 0
  end
end

function R.batch_norm(a, x, weight, bias, running_mean, running_var)
  local mean, var
  if a.training then mean, var = statistics(x, channel)
  else mean, var = running_mean.data, running_var.data end
  return normalised(x, channel, mean, var, a.eps or 1e-5, per_channel(weight, bias))
end

--- Row and place within it of a position, for the last `n` dimensions.
local function row_of(shape, at, n)
  local row, place = 0, 0
  for d = 1, #shape do
    if d <= #shape - n then row = row * shape[d] + at[d] else place = place * shape[d] + at[d] end
  end
  return row + 1, place + 1
end

local function axes_count(a)
  return type(a.axes) == "table" and #a.axes or 1
end

function R.layer_norm(a, x, weight, bias)
  local n = axes_count(a)
  local function group(at) return (row_of(x.shape, at, n)) end
  local mean, var = statistics(x, group)
  return normalised(x, group, mean, var, a.eps or 1e-5, function(at)
    local _, place = row_of(x.shape, at, n)
    return weight and weight.data[place] or 1, bias and bias.data[place] or 0
  end)
end

function R.group_norm(a, x, weight, bias)
  local size = x.shape[2] / a.groups
  local function group(at) return at[1] * a.groups + math.floor(at[2] / size) + 1 end
  local mean, var = statistics(x, group)
  return normalised(x, group, mean, var, a.eps or 1e-5, per_channel(weight, bias))
end

--- dx from the given statistics: over each group, w g less its mean and its part along x.
local function backward(x, grad, group, mean, rstd, scale, moving)
  local sums, products, counts = {}, {}, {}
  local function hat(at, i) return (x.data[i] - mean[group(at)]) * rstd[group(at)] end
  array.each(x.shape, function(at, i)
    local key, g = group(at), grad.data[i] * scale(at)
    sums[key], counts[key] = (sums[key] or 0) + g, (counts[key] or 0) + 1
    products[key] = (products[key] or 0) + g * hat(at, i)
  end)
  return array.build(x.shape, function(at, i)
    local key = group(at)
    local g = grad.data[i] * scale(at)
    if moving then g = g - (sums[key] + hat(at, i) * products[key]) / counts[key] end
    return g * rstd[key]
  end)
end

function R.batch_norm_backward(a, x, weight, mean, rstd, grad)
  local affine = per_channel(weight)
  return backward(x, grad, channel, mean.data, rstd.data, function(at) return (affine(at)) end,
    a.training)
end

function R.layer_norm_backward(a, x, weight, mean, rstd, grad)
  local n = axes_count(a)
  local function group(at) return (row_of(x.shape, at, n)) end
  return backward(x, grad, group, mean.data, rstd.data, function(at)
    local _, place = row_of(x.shape, at, n)
    return weight and weight.data[place] or 1
  end, true)
end

return R
