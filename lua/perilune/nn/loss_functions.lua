--- The losses: for each its options and compute(input, target, o). nn.functional checks options
-- and calls compute; a loss layer passes itself as `o`, its options being its fields.

local errors = require "perilune.errors"

local losses = {}

local reduction = { "reduction", "mean", choices = { "mean", "sum", "none" } }
local class_weight = { "weight", type = "tensor", doc = "one factor per class" }
local element_weight = { "weight", type = "tensor", doc = "a factor per element" }
local ignore_index = {
  "ignore_index", -100, type = "integer", doc = "a target that counts for nothing",
}

local function define(name, options, compute)
  losses[name] = { options = options, compute = compute }
end

-- The pair losses of the engine check this themselves; compositions would broadcast.
local function same_shapes(name, input, target)
  local a, b = input.shape, target.shape
  local same = #a == #b
  for i = 1, #a do same = same and a[i] == b[i] end
  if same then return end
  errors.raise("shape", ("%s: input is %s but target is %s; a loss does not broadcast"):format(
    name, table.concat(a, "x"), table.concat(b, "x")), { op = name, argument = "target" })
end

local function reduce(loss, how)
  if how == "mean" then return loss:mean() end
  if how == "sum" then return loss:sum() end
  return loss
end

-- Shares of classes instead of positions; no share can be ignored.
local function soft_cross_entropy(input, target, o)
  if target:dim() < input:dim() then
    errors.raise("dtype", ("cross_entropy: target is %s, but positions of classes are integers;"
      .. " target:long() makes them"):format(target.dtype),
      { op = "cross_entropy", argument = "target" })
  end
  if o.ignore_index ~= -100 then
    errors.raise("argument", "cross_entropy: ignore_index is for targets that are positions, these"
      .. " are shares of classes", { op = "cross_entropy", argument = "ignore_index" })
  end
  return input:soft_cross_entropy(target, o.weight or nil,
    { label_smoothing = o.label_smoothing or 0, reduction = o.reduction })
end

local holds_shares = { f32 = true, f64 = true, f16 = true, bf16 = true }

-- Softmax cross-entropy of n x classes logits and n targets from 1, or n x classes shares of them.
-- The usual call without options goes straight to the op: it is in every training step.
define("cross_entropy", {
  class_weight, ignore_index,
  { "label_smoothing", 0, min = 0, max = 1, doc = "share of the target spread over all classes" },
  reduction,
}, function(input, target, o)
  if holds_shares[target.dtype] then return soft_cross_entropy(input, target, o) end
  if o.label_smoothing == 0 and o.reduction == "mean" and o.ignore_index == -100
    and not o.weight then
    return input:cross_entropy(target)
  end
  return input:cross_entropy(target, o.weight or nil, { ignore_index = o.ignore_index,
    label_smoothing = o.label_smoothing or 0, reduction = o.reduction })
end)

-- Minus the log-probability (n x classes) at each of n targets from 1.
define("nll_loss", { class_weight, ignore_index, reduction }, function(input, target, o)
  return input:nll_loss(target, o.weight or nil,
    { ignore_index = o.ignore_index, reduction = o.reduction })
end)

-- (input - target)^2.
define("mse_loss", { reduction }, function(input, target, o)
  return input:mse_loss(target, { reduction = o.reduction })
end)

-- |input - target|.
define("l1_loss", { reduction }, function(input, target, o)
  return input:l1_loss(target, { reduction = o.reduction })
end)

-- d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2).
define("huber_loss", {
  { "delta", 1, min = 0, doc = "where the square becomes linear" }, reduction,
}, function(input, target, o)
  return input:huber_loss(target, { reduction = o.reduction, delta = o.delta })
end)

-- huber_loss / beta: d^2 / (2 beta) where |d| < beta, else |d| - beta / 2.
define("smooth_l1_loss", {
  { "beta", 1, min = 0, doc = "where the square becomes linear" }, reduction,
}, function(input, target, o)
  if o.beta == 0 then return input:l1_loss(target, { reduction = o.reduction }) end
  return input:huber_loss(target, { reduction = o.reduction, delta = o.beta }):div(o.beta)
end)

-- log(p) no lower than -100, as in PyTorch; where p is 0 the gradient is 0.
local smallest = 1.2e-38
local function bounded_log(p)
  return p:ge(smallest):where(p:clamp(smallest, math.huge):log(), -100)
end

-- Binary cross-entropy of probabilities; binary_cross_entropy_with_logits is the exact form.
define("binary_cross_entropy", { element_weight, reduction }, function(input, target, o)
  same_shapes("binary_cross_entropy", input, target)
  local loss = -(target * bounded_log(input) + (1 - target) * bounded_log(1 - input))
  return reduce(o.weight and loss * o.weight or loss, o.reduction)
end)

-- Binary cross-entropy of logits: (1 - t) x + (1 + (pos_weight - 1) t) softplus(-x).
define("binary_cross_entropy_with_logits", {
  element_weight,
  { "pos_weight", type = "tensor", doc = "a factor for positive targets, per class" },
  reduction,
}, function(input, target, o)
  if not o.weight and not o.pos_weight then
    return input:bce_with_logits(target, { reduction = o.reduction })
  end
  same_shapes("binary_cross_entropy_with_logits", input, target)
  local tail = (-input):softplus()
  if o.pos_weight then tail = tail * ((o.pos_weight - 1) * target + 1) end
  local loss = (1 - target) * input + tail
  return reduce(o.weight and loss * o.weight or loss, o.reduction)
end)

local function kl_pointwise(input, target, log_target)
  if log_target then return target:exp() * (target - input) end
  local entropy = target * target:clamp(smallest, math.huge):log()
  return target:gt(0):where(entropy, 0) - target * input
end

-- target (log target - input), input being log-probabilities.
define("kl_div", {
  { "log_target", false, doc = "the target holds logarithms too" },
  { "reduction", "mean", choices = { "mean", "batchmean", "sum", "none" } },
}, function(input, target, o)
  same_shapes("kl_div", input, target)
  local loss = kl_pointwise(input, target, o.log_target)
  if o.reduction == "batchmean" then return loss:sum() / input:size(1) end
  return reduce(loss, o.reduction)
end)

return losses
