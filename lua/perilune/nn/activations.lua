--- Activation layers: one row each. A row names the tensor method and the options that become its
-- arguments, in order; `fused` is the name under which `linear` can compute it too.

local class = require "perilune.class"
local Module = require "perilune.nn.module"

local activations = {}

local dim = { "dim", -1, type = "integer", doc = "dimension that sums to 1, negative from the end" }

local rows = {
  { "ReLU", "relu", fused = "relu" },
  { "Tanh", "tanh" },
  { "Sigmoid", "sigmoid" },
  { "GELU", "gelu" },
  { "SiLU", "silu" },
  { "Softplus", "softplus" },
  { "LeakyReLU", "leaky_relu", { "negative_slope", 0.01, doc = "slope for negative inputs" } },
  { "ELU", "elu", { "alpha", 1, doc = "limit for negative inputs, negated" } },
  { "Softmax", "softmax", dim },
  { "LogSoftmax", "log_softmax", dim },
}

local function plain_forward(method)
  return function(_, x) return x[method](x) end
end

local function forward_with(method, option)
  return function(self, x) return x[method](x, self[option]) end
end

for _, row in ipairs(rows) do
  local name, method, option = row[1], row[2], row[3]
  local Layer = class(name, Module)
  Layer.options = { option }
  if option then
    Layer.forward = forward_with(method, option[1])
    function Layer:init(o) self[option[1]] = Layer:check(o)[option[1]] end
    function Layer:extra_repr() return ("%s=%s"):format(option[1], tostring(self[option[1]])) end
  else
    Layer.forward = plain_forward(method)
    function Layer.init() end
  end
  Layer.fused_activation, Layer.fused_forward = row.fused, Layer.forward
  activations[name] = Layer
end

return activations
