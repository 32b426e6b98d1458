-- What the losses and the rows of their gradients mean.

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

function R.soft_cross_entropy(a, logits, target, weight)
  local classes, smoothing = logits.shape[#logits.shape], a.label_smoothing or 0
  local losses = {}
  for i = 1, #logits.data / classes do
    local row, first = {}, (i - 1) * classes
    for c = 1, classes do row[c] = logits.data[first + c] end
    losses[i] = 0
    for c, v in ipairs(log_softmax(row)) do
      local share = (1 - smoothing) * target.data[first + c] + smoothing / classes
      losses[i] = losses[i] - share * (weight and weight.data[c] or 1) * v
    end
  end
  return reduced(losses, a.reduction or "mean", #losses)
end

function R.nll_loss(a, log_probs, target, weight)
  return row_losses(a, log_probs, target, weight, function(row, class, weight_of)
    return -weight_of(class) * row[class]
  end)
end

--- slope(row, target, weight of a class, c), times the row's share of grad, for each element.
local function row_slopes(a, x, target, weight, grad, slope)
  local classes, ignore = x.shape[2], a.ignore_index or -100
  local function weight_of(class) return weight and weight.data[class] or 1 end
  local divisor, out = 0, {}
  for _, class in ipairs(target.data) do
    if class ~= ignore then divisor = divisor + weight_of(class) end
  end
  for i, class in ipairs(target.data) do
    local share = a.reduction == "none" and grad.data[i] or grad.data[1]
    if (a.reduction or "mean") == "mean" then share = share / divisor end
    local row = {}
    for c = 1, classes do row[c] = x.data[(i - 1) * classes + c] end
    for c = 1, classes do
      out[(i - 1) * classes + c] =
        class == ignore and 0 or share * slope(row, class, weight_of, c)
    end
  end
  return array.new(x.shape, out)
end

--- Hard and smoothed targets are weights h of -log p, whose slope is sum(h) p - h.
function R.cross_entropy_backward(a, logits, target, weight, _, grad)
  local smoothing = a.label_smoothing or 0
  return row_slopes(a, logits, target, weight, grad, function(row, class, weight_of, c)
    local sum, own = 0, 0
    for k = 1, #row do
      local h = smoothing / #row * weight_of(k)
      if k == class then h = h + (1 - smoothing) * weight_of(k) end
      sum = sum + h
      if k == c then own = h end
    end
    return sum * exp(log_softmax(row)[c]) - own
  end)
end

function R.nll_loss_backward(a, log_probs, target, weight, grad)
  return row_slopes(a, log_probs, target, weight, grad, function(_, class, weight_of, c)
    return c == class and -weight_of(c) or 0
  end)
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
