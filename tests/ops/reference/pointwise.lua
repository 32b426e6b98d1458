-- What the pointwise ops mean.

local array = require "tests.ops.array"
local more = require "tests.ops.math"
local map = array.map

local inf = math.huge
local exp, log = math.exp, math.log
local erf, expm1, log1p = more.erf, more.expm1, more.log1p

local function typed(x, dtype)
  x.dtype = dtype
  return x
end

local function truth(b) return b and 1 or 0 end

local R = {}

local function round_even(x)
  local down = math.floor(x)
  local rest = x - down
  if rest ~= rest then return x end
  if rest > 0.5 or (rest == 0.5 and down % 2 == 1) then return down + 1 end
  return down
end

local function sigmoid(x) return 1 / (1 + exp(-x)) end
local function tanh(x)
  if math.abs(x) < 0.25 then
    local e = expm1(2 * x)
    return e / (e + 2)
  end
  return math.tanh(x)
end

local function softplus(x)
  if x ~= x then return x end
  return math.max(x, 0) + log1p(exp(-math.abs(x)))
end

local function sign(x) return x > 0 and 1 or x < 0 and -1 or x == 0 and 0 or x end

local unary = {
  neg = function(x) return -x end,
  abs = math.abs,
  sign = sign,
  square = function(x) return x * x end,
  relu = function(x) return x < 0 and 0 or x end,
  exp = exp,
  expm1 = expm1,
  log = function(x) return log(x) end,
  log1p = log1p,
  sqrt = math.sqrt,
  rsqrt = function(x) return 1 / math.sqrt(x) end,
  reciprocal = function(x) return 1 / x end,
  sin = math.sin,
  cos = math.cos,
  tanh = tanh,
  sigmoid = sigmoid,
  erf = erf,
  floor = math.floor,
  ceil = math.ceil,
  round = round_even,
  softplus = softplus,
  silu = function(x) return x == -inf and -0 or x * sigmoid(x) end,
  gelu = function(x) return x == -inf and -0 or x * (1 + erf(x / math.sqrt(2))) / 2 end,
  copy = function(x) return x end,
}
for name, f in pairs(unary) do
  R[name] = function(_, x) return map(f, x) end
end

function R.leaky_relu(a, x)
  local slope = a.slope or 0.01
  return map(function(v) return v < 0 and slope * v or v end, x)
end

function R.elu(a, x)
  local alpha = a.alpha or 1
  return map(function(v) return v < 0 and alpha * expm1(v) or v end, x)
end

function R.clamp(a, x)
  local low, high = a.min or -inf, a.max or inf
  return map(function(v) return v < low and low or v > high and high or v end, x)
end

function R.isfinite(_, x)
  return typed(map(function(v) return truth(v - v == 0) end, x), "bool")
end

function R.logical_not(_, x)
  return typed(map(function(v) return truth(v == 0) end, x), "bool")
end

function R.cast(a, x)
  local to, integers = a.dtype, { u8 = true, i32 = true, i64 = true }
  return typed(map(function(v)
    if to == "bool" then return truth(v ~= 0) end
    return integers[to] and (v < 0 and math.ceil(v) or math.floor(v)) or v
  end, x), to)
end

-- ---- several operands ------------------------------------------------------------------------

local binary = {
  add = function(x, y) return x + y end,
  sub = function(x, y) return x - y end,
  mul = function(x, y) return x * y end,
  div = function(x, y) return x / y end,
  pow = function(x, y) return x ^ y end,
  maximum = more.maximum,
  minimum = more.minimum,
  relu_backward = function(y, grad) return y > 0 and grad or 0 end,
}
for name, f in pairs(binary) do
  R[name] = function(_, x, y) return map(f, x, y) end
end

local compare = {
  eq = function(x, y) return x == y end,
  ne = function(x, y) return x ~= y end,
  lt = function(x, y) return x < y end,
  le = function(x, y) return x <= y end,
  gt = function(x, y) return x > y end,
  ge = function(x, y) return x >= y end,
  logical_and = function(x, y) return x ~= 0 and y ~= 0 end,
  logical_or = function(x, y) return x ~= 0 or y ~= 0 end,
}
for name, f in pairs(compare) do
  R[name] = function(_, x, y)
    return typed(map(function(v, w) return truth(f(v, w)) end, x, y), "bool")
  end
end

function R.where(_, condition, x, y)
  return map(function(c, v, w) return c ~= 0 and v or w end, condition, x, y)
end

return R
