-- What every op means, in plain Lua on arrays of doubles: reference.<op>(attributes, inputs...)
-- answers the output array, or a table of updated inputs by name for rows that update in place.
-- Positions count from 1 here whatever base a call uses. Defaults are written out, as a check.

local array = require "array"
local map, reduce, along, build = array.map, array.reduce, array.along, array.build

local R = {}
local inf, nan = math.huge, 0 / 0
local exp, log = math.exp, math.log

local function typed(x, dtype)
  x.dtype = dtype
  return x
end

local function truth(b) return b and 1 or 0 end

-- ---- pointwise: one operand --------------------------------------------------------------------

--- 2 / sqrt(pi) * sum of x^(2k+1) 2^k / (1 * 3 * ... (2k+1)) * exp(-x^2): no cancellation.
local function erf(x)
  if x ~= x then return x end
  if math.abs(x) > 6 then return x > 0 and 1 or -1 end
  local term, sum, k = x, x, 0
  repeat
    k = k + 1
    term = term * 2 * x * x / (2 * k + 1)
    sum = sum + term
  until math.abs(term) < 1e-17 * math.abs(sum) or term == 0
  return 2 / math.sqrt(math.pi) * exp(-x * x) * sum
end

local function expm1(x)
  if math.abs(x) > 0.5 then return exp(x) - 1 end
  local term, sum = x, x
  for k = 2, 18 do
    term = term * x / k
    sum = sum + term
  end
  return sum
end

local function log1p(x)
  if math.abs(x) > 0.25 then return log(1 + x) end
  local y = x / (2 + x)     -- log(1 + x) = 2 atanh(x / (2 + x))
  local power, sum = y, y
  for k = 3, 41, 2 do
    power = power * y * y
    sum = sum + power / k
  end
  return 2 * sum
end

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
local function sign(x) return x > 0 and 1 or x < 0 and -1 or x * 0 end

local unary = {
  neg = function(x) return -x end,
  abs = math.abs,
  sign = sign,
  square = function(x) return x * x end,
  relu = function(x) return x < 0 and 0 or x end,
  exp = exp,
  expm1 = expm1,
  log = log,
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

-- ---- pointwise: several operands ---------------------------------------------------------------

local function maximum(x, y) return x ~= x and x or y ~= y and y or math.max(x, y) end
local function minimum(x, y) return x ~= x and x or y ~= y and y or math.min(x, y) end

local binary = {
  add = function(x, y) return x + y end,
  sub = function(x, y) return x - y end,
  mul = function(x, y) return x * y end,
  div = function(x, y) return x / y end,
  pow = function(x, y) return x ^ y end,
  maximum = maximum,
  minimum = minimum,
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

-- ---- reduce ------------------------------------------------------------------------------------

local function total(values)
  local sum = 0
  for _, v in ipairs(values) do sum = sum + v end
  return sum
end

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

local function logsumexp(values)
  local top = -inf
  for _, v in ipairs(values) do top = math.max(top, v) end
  if top == -inf then return -inf end
  local sum = 0
  for _, v in ipairs(values) do sum = sum + exp(v - top) end
  return top + log(sum)
end

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
R.max = reducer(fold(maximum))
R.min = reducer(fold(minimum))
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

local function log_softmax(line)
  local norm, out = logsumexp(line), {}
  for i, v in ipairs(line) do out[i] = v - norm end
  return out
end

local function softmax(line)
  local out = log_softmax(line)
  for i, v in ipairs(out) do out[i] = exp(v) end
  return out
end

function R.softmax(a, x) return along(x, a.axis or -1, softmax) end
function R.log_softmax(a, x) return along(x, a.axis or -1, log_softmax) end

-- ---- matmul ------------------------------------------------------------------------------------

local function lead(x)
  local shape = {}
  for d = 1, #x.shape - 2 do shape[d] = x.shape[d] end
  return { shape = shape }
end

--- Vectors count as a row at the left and as a column at the right, as in PyTorch.
function R.matmul(_, x, y)
  local left, right = #x.shape == 1, #y.shape == 1
  if left then x = array.new({ 1, x.shape[1] }, x.data) end
  if right then y = array.new({ y.shape[1], 1 }, y.data) end
  local rx, ry = #x.shape, #y.shape
  local batch = array.broadcast_shape{ lead(x), lead(y) }
  local rows, inner, columns = x.shape[rx - 1], x.shape[rx], y.shape[ry]
  local shape = { unpack(batch) }
  shape[#shape + 1], shape[#shape + 2] = rows, columns
  local rank, out = #shape, nil
  local ax, ay = {}, {}
  local function locate(at, t, into)
    local shift = rank - #t.shape
    for d = 1, #t.shape - 2 do into[d] = t.shape[d] == 1 and 0 or at[d + shift] end
  end
  out = build(shape, function(at)
    locate(at, x, ax)
    locate(at, y, ay)
    ax[rx - 1], ay[ry] = at[rank - 1], at[rank]
    local sum = 0
    for k = 0, inner - 1 do
      ax[rx], ay[ry - 1] = k, k
      sum = sum + array.at(x, ax) * array.at(y, ay)
    end
    return sum
  end)
  if left then table.remove(shape, rank - 1) end
  if right then table.remove(shape) end
  return out
end

function R.linear(a, x, weight, bias)
  local out = R.matmul(nil, x, array.permute(weight, { 2, 1 }))
  if bias then out = map(binary.add, out, bias) end
  return a.activation == "relu" and map(unary.relu, out) or out
end

-- ---- view --------------------------------------------------------------------------------------

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

-- ---- index -------------------------------------------------------------------------------------

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

-- ---- loss --------------------------------------------------------------------------------------

local function reduced(losses, reduction, divisor)
  if reduction == "none" then return array.new({ #losses }, losses) end
  local sum = total(losses)
  return array.new({}, { reduction == "sum" and sum or sum / divisor })
end

--- loss(row, target, weight of a class) for each row whose target is not ignored, reduced.
local function row_losses(a, x, target, weight, loss)
  local classes, ignore = x.shape[2], a.ignore_index or -100
  local losses, divisor = {}, 0
  local function weight_of(class) return weight and weight.data[class] or 1 end
  for i, class in ipairs(target.data) do
    losses[i] = 0
    if class ~= ignore then
      local row = {}
      for c = 1, classes do row[c] = x.data[(i - 1) * classes + c] end
      losses[i] = loss(row, class, weight_of)
      divisor = divisor + weight_of(class)
    end
  end
  return reduced(losses, a.reduction or "mean", divisor)
end

function R.cross_entropy(a, logits, target, weight)
  local smoothing = a.label_smoothing or 0
  return row_losses(a, logits, target, weight, function(row, class, weight_of)
    local log_probs, smooth = log_softmax(row), 0
    for c, v in ipairs(log_probs) do smooth = smooth - weight_of(c) * v end
    local hard = -weight_of(class) * log_probs[class]
    return (1 - smoothing) * hard + smoothing / #row * smooth
  end)
end

function R.nll_loss(a, log_probs, target, weight)
  return row_losses(a, log_probs, target, weight, function(row, class, weight_of)
    return -weight_of(class) * row[class]
  end)
end

--- The gradient of f(x), weighed by grad, by central differences.
local function difference(f, x, grad)
  local h, out = 1e-6, {}
  for i, v in ipairs(x.data) do
    local data = { unpack(x.data) }
    data[i] = v + h
    local up = f(array.new(x.shape, data))
    data[i] = v - h
    local down = f(array.new(x.shape, data))
    local slope = 0
    for k, g in ipairs(grad.data) do slope = slope + g * (up.data[k] - down.data[k]) / (2 * h) end
    out[i] = slope
  end
  return array.new(x.shape, out)
end

function R.cross_entropy_backward(a, logits, target, weight, _, grad)
  return difference(function(x) return R.cross_entropy(a, x, target, weight) end, logits, grad)
end

function R.nll_loss_backward(a, log_probs, target, weight, grad)
  return difference(function(x) return R.nll_loss(a, x, target, weight) end, log_probs, grad)
end

local function pair_loss(f)
  return function(a, x, y)
    local out = map(function(v, w) return f(v, w, a) end, x, y)
    if a.reduction == "none" then return out end
    return reduced(out.data, a.reduction or "mean", #out.data)
  end
end

R.mse_loss = pair_loss(function(x, y) return (x - y) ^ 2 end)
R.l1_loss = pair_loss(function(x, y) return math.abs(x - y) end)
R.huber_loss = pair_loss(function(x, y, a)
  local d, delta = math.abs(x - y), a.delta or 1
  return d <= delta and d * d / 2 or delta * (d - delta / 2)
end)
R.bce_with_logits = pair_loss(function(x, y)
  return math.max(x, 0) - x * y + log1p(exp(-math.abs(x)))
end)

-- ---- random: the numbers are free, their form is not. The engine's output is the last argument --

local function moments(out, expected_mean, expected_variance)
  local n = #out.data
  if n < 1000 then return end
  local m, v = mean(out.data), 0
  for _, value in ipairs(out.data) do v = v + (value - m) ^ 2 / n end
  local slack = 6 * math.sqrt(expected_variance / n)
  assert(math.abs(m - expected_mean) < slack, "mean " .. m)
  assert(math.abs(v / expected_variance - 1) < 0.1, "variance " .. v)
end

local function made(a, out, dtype)
  return array.new({ unpack(a.sizes) }, out.data, dtype)
end

function R.rand(a, out)
  for _, v in ipairs(out.data) do assert(v >= 0 and v < 1, "outside [0, 1)") end
  moments(out, 0.5, 1 / 12)
  return made(a, out, a.dtype or "f32")
end

function R.randn(a, out)
  moments(out, 0, 1)
  return made(a, out, a.dtype or "f32")
end

function R.randint(a, out)
  local seen, distinct, span = {}, 0, a.high - a.low + 1
  for _, v in ipairs(out.data) do
    assert(v >= a.low and v <= a.high and v % 1 == 0, "outside low..high")
    if not seen[v] then distinct = distinct + 1 end
    seen[v] = true
  end
  assert(#out.data < 50 * span or distinct == span, "a value of low..high never comes")
  moments(out, (a.low + a.high) / 2, (span * span - 1) / 12)
  return made(a, out, "i64")
end

function R.dropout(a, x, out)
  local p, zeros = a.p or 0.5, 0
  for _, v in ipairs(out.data) do zeros = zeros + truth(v == 0) end
  local n = #out.data
  assert(n < 1000 or math.abs(zeros / n - p) < 0.1, "dropped " .. zeros .. " of " .. n)
  local i = 0
  return map(function(v)
    i = i + 1
    return out.data[i] == 0 and 0 or v / (1 - p)
  end, x)
end

-- ---- creation ----------------------------------------------------------------------------------

function R.full(a, value)
  return build({ unpack(a.sizes) }, function() return value.data[1] end, a.dtype or "f32")
end

function R.arange(a)
  return build({ a.length }, function(at) return a.start + at[1] * a.step end, a.dtype or "f32")
end

-- ---- optim -------------------------------------------------------------------------------------

function R.sgd_step(a, params, grads, momentums, hyper)
  local lr, momentum, dampening, decay = unpack(hyper.data)
  local out = { params = {}, momentums = momentums and {} }
  for k, p in ipairs(params) do
    local new, buffer = {}, {}
    for i, value in ipairs(p.data) do
      local g = a.maximize and -grads[k].data[i] or grads[k].data[i]
      g = g + decay * value
      if momentums then
        local old = momentums[k].data[i]
        buffer[i] = a.first and g or momentum * old + (1 - dampening) * g
        g = a.nesterov and g + momentum * buffer[i] or buffer[i]
      end
      new[i] = value - lr * g
    end
    out.params[k] = array.new(p.shape, new)
    if momentums then out.momentums[k] = array.new(p.shape, buffer) end
  end
  return out
end

function R.total_norm(_, list)
  local sum = 0
  for _, x in ipairs(list) do
    for _, v in ipairs(x.data) do sum = sum + v * v end
  end
  return array.new({}, { math.sqrt(sum) }, "f32")
end

function R.scale_all(_, list, factor)
  local out = {}
  for k, x in ipairs(list) do
    out[k] = map(function(v) return v * factor.data[1] end, x)
  end
  return { xs = out }
end

assert(nan ~= nan)
return R
