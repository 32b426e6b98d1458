-- What reductions and scans mean.

local array = require "tests.ops.array"
local more = require "tests.ops.math"
local reduce, along, build = array.reduce, array.along, array.build

local total, logsumexp, log_softmax = more.total, more.logsumexp, more.log_softmax

local function typed(x, dtype)
  x.dtype = dtype
  return x
end

local R = {}

local function product(values)
  local p = 1
  for _, v in ipairs(values) do p = p * v end
  return p
end

local function fold(f)
  return function(values)
    local best = values[1]
    for i = 2, #values do best = f(best, values[i]) end
    return best
  end
end

local function mean(values) return total(values) / #values end

local function some(values)
  for _, v in ipairs(values) do if v ~= 0 then return 1 end end
  return 0
end

local function every(values)
  for _, v in ipairs(values) do if v == 0 then return 0 end end
  return 1
end

local function reducer(f, dtype)
  return function(a, x) return typed(reduce(x, a.axes, a.keepdim, f), dtype) end
end

local floating = { f16 = true, bf16 = true, f32 = true, f64 = true }
local function widened(x) return not floating[x.dtype or "f64"] and "i64" or nil end

function R.sum(a, x) return reducer(total, widened(x))(a, x) end
function R.prod(a, x) return reducer(product, widened(x))(a, x) end
R.mean = reducer(mean)
R.max = reducer(fold(more.maximum))
R.min = reducer(fold(more.minimum))
R.any = reducer(some, "bool")
R.all = reducer(every, "bool")
R.logsumexp = reducer(logsumexp)

function R.var(a, x)
  local correction = a.correction or 1
  return reduce(x, a.axes, a.keepdim, function(values)
    local m, sum = mean(values), 0
    for _, v in ipairs(values) do sum = sum + (v - m) ^ 2 end
    return sum / math.max(0, #values - correction)
  end)
end

local function first_where(better)
  return function(a, x)
    return typed(reduce(x, a.axis, a.keepdim, function(values)
      local best = 1
      for i = 2, #values do
        if better(values[i], values[best]) then best = i end
      end
      return best
    end), "i64")
  end
end
R.argmax = first_where(function(v, best) return v > best end)
R.argmin = first_where(function(v, best) return v < best end)

function R.cumsum(a, x)
  return typed(along(x, a.axis, function(line)
    local sums, sum = {}, 0
    for i, v in ipairs(line) do
      sum = sum + v
      sums[i] = sum
    end
    return sums
  end), widened(x))
end

function R.flip(a, x)
  local set = array.axis_set(a.axes, #x.shape)
  local from = {}
  return build(x.shape, function(at)
    for d = 1, #at do from[d] = set[d] and x.shape[d] - 1 - at[d] or at[d] end
    return array.at(x, from)
  end)
end

local function softmax(line)
  local out = log_softmax(line)
  for i, v in ipairs(out) do out[i] = math.exp(v) end
  return out
end

function R.softmax(a, x) return along(x, a.axis or -1, softmax) end
function R.log_softmax(a, x) return along(x, a.axis or -1, log_softmax) end

return R
