-- What the losses mean; their gradient rows are checked against differences of the losses.

local array = require "tests.ops.array"
local more = require "tests.ops.math"
local map = array.map

local exp = math.exp
local total, log_softmax, log1p = more.total, more.log_softmax, more.log1p

local R = {}

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

return R
