--- Activations made of several ops, or with options: for each its options and compute(x, o).
-- nn.functional checks options and calls compute; a layer passes itself as `o`, its options being
-- its fields. Those that are one op without options are methods of tensors.

local functions = {}

local function define(name, options, compute)
  functions[name] = { options = options, compute = compute }
end

-- Formula of the tanh form: Hendrycks and Gimpel, "Gaussian error linear units", section 2.
define("gelu", {
  { "approximate", "none", choices = { "none", "tanh" }, doc = "tanh: a faster approximation" },
}, function(x, o)
  if o.approximate == "none" then return x:gelu() end
  local inner = (x + x:pow(3) * 0.044715) * math.sqrt(2 / math.pi)
  return x * 0.5 * (inner:tanh() + 1)
end)

define("softplus", { { "beta", 1, doc = "how sharply it bends" } }, function(x, o)
  if o.beta == 1 then return x:softplus() end
  return (x * o.beta):softplus() / o.beta
end)

-- -softplus(-x), which does not overflow.
define("logsigmoid", {}, function(x) return -(-x):softplus() end)

define("mish", {}, function(x) return x * x:softplus():tanh() end)

define("softsign", {}, function(x) return x / (x:abs() + 1) end)

define("hardtanh", {
  { "min_val", -1, doc = "the least result" }, { "max_val", 1, doc = "the largest" },
}, function(x, o) return x:clamp(o.min_val, o.max_val) end)

define("relu6", {}, function(x) return x:clamp(0, 6) end)

local function hardsigmoid(x) return (x / 6 + 0.5):clamp(0, 1) end

define("hardsigmoid", {}, hardsigmoid)
define("hardswish", {}, function(x) return x * hardsigmoid(x) end)

-- Numbers of Klambauer et al., "Self-normalizing neural networks".
define("selu", {}, function(x)
  return x:elu(1.6732632423543772) * 1.0507009873554805
end)

define("celu", { { "alpha", 1, doc = "limit for negative inputs, negated" } }, function(x, o)
  return (x / o.alpha):elu() * o.alpha
end)

return functions
