--- pl.nn.functional: layers and losses as functions. Plain activations are the tensor's methods,
-- the others are called as mish(x) or hardtanh(x, { min_val = -2 }); losses are called as
-- loss(input, target, { option = value }), options as PyTorch names and orders them.

local check = require "perilune.check"
local errors = require "perilune.errors"
local pooling = require "perilune.nn.pooling"
local sizes = require "perilune.nn.pairs_of_sizes"
local suggest = require "perilune.suggest"

local functional = {}

for _, name in ipairs {
  "relu", "tanh", "sigmoid", "silu", "leaky_relu", "elu", "softmax", "log_softmax", "flatten",
  "pad",
} do
  functional[name] = function(x, ...) return x[name](x, ...) end
end

for name, activation in pairs(require "perilune.nn.activation_functions") do
  local options, compute = activation.options, activation.compute
  functional[name] = function(x, ...) return compute(x, check.call(options, name, ...)) end
end

for name, loss in pairs(require "perilune.nn.loss_functions") do
  local options, compute = loss.options, loss.compute
  functional[name] = function(input, target, ...)
    return compute(input, target, check.call(options, name, ...))
  end
end

-- Pooling as its layers do it, which check and prepare the window: MaxPool2d's options follow x. In
-- a loop of many small calls the layer itself, made once, is faster.
for name, layer in pairs{
  max_pool2d = "MaxPool2d", avg_pool2d = "AvgPool2d",
  adaptive_max_pool2d = "AdaptiveMaxPool2d", adaptive_avg_pool2d = "AdaptiveAvgPool2d",
} do
  functional[name] = function(x, ...) return pooling[layer](...)(x) end
end

local conv2d_options = {
  { "bias", type = "tensor" }, sizes.option("stride", 1), sizes.option("padding", 0),
  sizes.option("dilation", 1), { "groups", 1, type = "integer", min = 1 },
}

--- Cross-correlation of images with a weight out x in/groups x height x width:
-- conv2d(x, weight, bias, stride, padding, dilation, groups), or { padding = 1 }.
function functional.conv2d(x, weight, ...)
  local o = check.call(conv2d_options, "conv2d", ...)
  return x:conv2d(weight, o.bias or nil, { stride = o.stride, padding = o.padding,
    dilation = o.dilation, groups = o.groups })
end

--- x weight^T + bias.
function functional.linear(x, weight, bias)
  return x:linear(weight, bias)
end

local dropout_options = { { "p", 0.5, min = 0, max = 1 }, { "training", true } }

--- Zero elements with probability p and scale the others.
function functional.dropout(x, ...)
  local o = check.call(dropout_options, "dropout", ...)
  if not o.training or o.p == 0 then return x end
  return x:dropout(o.p)
end

local normalize_options = {
  { "p", 2, min = 0 }, { "dim", 2, type = { "integer", "list" } }, { "eps", 1e-12, min = 0 },
}

--- x over its p-norm along dim, 2 if not given; no norm counts as less than eps.
function functional.normalize(x, ...)
  local o = check.call(normalize_options, "normalize", ...)
  return x / x:norm(o.p, o.dim, true):clamp{ min = o.eps }
end

local cosine_options = { { "dim", 2, type = "integer" }, { "eps", 1e-8, min = 0 } }

--- The cosine of the angle between x and other along dim.
function functional.cosine_similarity(x, other, ...)
  local o = check.call(cosine_options, "cosine_similarity", ...)
  local norms = x:norm(2, o.dim) * other:norm(2, o.dim)
  return (x * other):sum(o.dim) / norms:clamp{ min = o.eps }
end

--- Rows of weight at positions from 1.
function functional.embedding(positions, weight)
  return weight:embedding(positions)
end

--- Positions from 1 as rows of zeros with a one.
function functional.one_hot(positions, classes)
  return positions:one_hot(classes)
end

return setmetatable(functional, { __index = function(_, name)
  errors.raise("argument", ("nn.functional has no '%s'%s"):format(tostring(name),
    suggest.hint(tostring(name), suggest.keys(functional))), { argument = tostring(name) })
end })
