--- pl.nn.functional: layers and losses as functions. Plain activations are the tensor's methods;
-- losses take their options in a table, named as PyTorch names them.

local check = require "perilune.check"
local errors = require "perilune.errors"

local functional = {}

for _, name in ipairs {
  "relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "leaky_relu", "elu", "softmax",
  "log_softmax", "flatten",
} do
  functional[name] = function(x, ...) return x[name](x, ...) end
end

--- x weight^T + bias.
function functional.linear(x, weight, bias)
  return x:linear(weight, bias)
end

local dropout_options = { { "p", 0.5, min = 0, max = 1 }, { "training", true } }

--- Zero elements with probability p and scale the others.
function functional.dropout(x, options)
  local o = check.call(dropout_options, "dropout", options)
  if not o.training or o.p == 0 then return x end
  return x:dropout(o.p)
end

--- Rows of weight at positions from 1.
function functional.embedding(positions, weight)
  return weight:embedding(positions)
end

--- Positions from 1 as rows of zeros with a one.
function functional.one_hot(positions, classes)
  return positions:one_hot(classes)
end

local reduction = { "reduction", "mean", choices = { "mean", "sum", "none" } }

local function same_shapes(name, input, target)
  local a, b = input.shape, target.shape
  local same = #a == #b
  for i = 1, #a do same = same and a[i] == b[i] end
  if same then return end
  errors.raise("shape", ("%s: input is %s but target is %s; a loss does not broadcast"):format(name,
    table.concat(a, "x"), table.concat(b, "x")), { op = name, argument = "target" })
end

local function reduce(loss, how)
  if how == "mean" then return loss:mean() end
  if how == "sum" then return loss:sum() end
  return loss
end

local class_options = {
  { "weight", type = "tensor", doc = "one factor per class" },
  { "ignore_index", -100, type = "integer", doc = "a target that counts for nothing" },
  { "label_smoothing", 0, min = 0, max = 1, doc = "share of the target spread over all classes" },
  reduction,
}
functional.class_options = class_options

--- Softmax cross-entropy of n x classes logits and n targets from 1.
function functional.cross_entropy(input, target, options)
  if options == nil then return input:cross_entropy(target) end
  local o = check.call(class_options, "cross_entropy", options)
  return input:cross_entropy(target, o.weight or nil, { ignore_index = o.ignore_index,
    label_smoothing = o.label_smoothing, reduction = o.reduction })
end

local nll_options = { class_options[1], class_options[2], reduction }
functional.nll_options = nll_options

--- Minus the log-probability (n x classes) at each of n targets from 1.
function functional.nll_loss(input, target, options)
  local o = check.call(nll_options, "nll_loss", options)
  return input:nll_loss(target, o.weight or nil,
    { ignore_index = o.ignore_index, reduction = o.reduction })
end

local pair_options = { reduction }
functional.pair_options = pair_options

--- (input - target)^2.
function functional.mse_loss(input, target, options)
  same_shapes("mse_loss", input, target)
  local o = check.call(pair_options, "mse_loss", options)
  return input:mse_loss(target, { reduction = o.reduction })
end

--- |input - target|.
function functional.l1_loss(input, target, options)
  same_shapes("l1_loss", input, target)
  local o = check.call(pair_options, "l1_loss", options)
  return input:l1_loss(target, { reduction = o.reduction })
end

local huber_options = { { "delta", 1, min = 0, doc = "where the square becomes linear" }, reduction }
functional.huber_options = huber_options

--- d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2).
function functional.huber_loss(input, target, options)
  same_shapes("huber_loss", input, target)
  local o = check.call(huber_options, "huber_loss", options)
  return input:huber_loss(target, { reduction = o.reduction, delta = o.delta })
end

local smooth_options = { { "beta", 1, min = 0, doc = "where the square becomes linear" }, reduction }
functional.smooth_options = smooth_options

--- huber_loss / beta: d^2 / (2 beta) where |d| < beta, else |d| - beta / 2.
function functional.smooth_l1_loss(input, target, options)
  same_shapes("smooth_l1_loss", input, target)
  local o = check.call(smooth_options, "smooth_l1_loss", options)
  if o.beta == 0 then return input:l1_loss(target, { reduction = o.reduction }) end
  return input:huber_loss(target, { reduction = o.reduction, delta = o.beta }):div(o.beta)
end

local bce_options = { { "weight", type = "tensor", doc = "a factor per element" }, reduction }
functional.bce_options = bce_options

-- log(p) no lower than -100, as in PyTorch; the gradient where p is 0 is 0.
local smallest = 1.2e-38
local function bounded_log(p)
  return p:ge(smallest):where(p:clamp(smallest, math.huge):log(), -100)
end

--- Binary cross-entropy of probabilities; binary_cross_entropy_with_logits is the exact form.
function functional.binary_cross_entropy(input, target, options)
  same_shapes("binary_cross_entropy", input, target)
  local o = check.call(bce_options, "binary_cross_entropy", options)
  local loss = target * bounded_log(input) + (1 - target) * bounded_log(1 - input)
  return reduce(o.weight and -loss * o.weight or -loss, o.reduction)
end

local bce_logits_options = {
  bce_options[1],
  { "pos_weight", type = "tensor", doc = "a factor for positive targets, per class" },
  reduction,
}
functional.bce_logits_options = bce_logits_options

--- Binary cross-entropy of logits: (1 - t) x + (1 + (pos_weight - 1) t) softplus(-x).
function functional.binary_cross_entropy_with_logits(input, target, options)
  same_shapes("binary_cross_entropy_with_logits", input, target)
  local o = check.call(bce_logits_options, "binary_cross_entropy_with_logits", options)
  if not o.weight and not o.pos_weight then
    return input:bce_with_logits(target, { reduction = o.reduction })
  end
  local tail = (-input):softplus()
  if o.pos_weight then tail = tail * ((o.pos_weight - 1) * target + 1) end
  local loss = (1 - target) * input + tail
  return reduce(o.weight and loss * o.weight or loss, o.reduction)
end

local kl_options = {
  { "log_target", false, doc = "the target holds logarithms too" },
  { "reduction", "mean", choices = { "mean", "batchmean", "sum", "none" } },
}
functional.kl_options = kl_options

--- target (log target - input), input being log-probabilities.
function functional.kl_div(input, target, options)
  same_shapes("kl_div", input, target)
  local o = check.call(kl_options, "kl_div", options)
  local loss
  if o.log_target then
    loss = target:exp() * (target - input)
  else
    local entropy = target:gt(0):where(target * target:clamp(smallest, math.huge):log(), 0)
    loss = entropy - target * input
  end
  if o.reduction == "batchmean" then return loss:sum() / input:size(1) end
  return reduce(loss, o.reduction)
end

return functional
