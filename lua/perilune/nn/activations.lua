--- Activation layers. Those that are one op have a row each, which names the tensor method and the
-- option that becomes its argument; `fused` is the name under which `linear` can compute it too.
-- The others are the functions of activation_functions.lua with their options as fields.

local class = require "perilune.class"
local create = require "perilune.create"
local functions = require "perilune.nn.activation_functions"
local Module = require "perilune.nn.module"
local Parameter = require("perilune.nn.parameter").Parameter

local activations = {}

local dim = { "dim", -1, type = "integer", doc = "dimension that sums to 1, negative from the end" }

local rows = {
  { "ReLU", "relu", fused = "relu" },
  { "Tanh", "tanh" },
  { "Sigmoid", "sigmoid" },
  { "SiLU", "silu" },
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

local composed = {
  GELU = "gelu", Softplus = "softplus", LogSigmoid = "logsigmoid", Mish = "mish",
  Softsign = "softsign", Hardtanh = "hardtanh", ReLU6 = "relu6", Hardsigmoid = "hardsigmoid",
  Hardswish = "hardswish", SELU = "selu", CELU = "celu",
}

-- Those that differ from the default.
local function options_text(layer, options)
  local words = {}
  for _, option in ipairs(options) do
    local value = layer[option[1]]
    if value ~= option[2] then words[#words + 1] = option[1] .. "=" .. tostring(value) end
  end
  return table.concat(words, ", ")
end

for name, fn in pairs(composed) do
  local options, compute = functions[fn].options, functions[fn].compute
  local Layer = class(name, Module)
  Layer.options = options
  function Layer:init(o)
    o = Layer:check(o)
    for _, option in ipairs(options) do self[option[1]] = o[option[1]] end
  end
  function Layer:forward(x) return compute(x, self) end
  function Layer:extra_repr() return options_text(self, options) end
  activations[name] = Layer
end

local PReLU = class("PReLU", Module)
PReLU.options = {
  { "num_parameters", 1, type = "integer", min = 1, doc = "one slope, or one per channel" },
  { "init", 0.25, doc = "the slopes to begin with" },
}
activations.PReLU = PReLU

function PReLU:init(o)
  o = PReLU:check(o)
  self.num_parameters = o.num_parameters
  self.weight = Parameter(create.full({ o.num_parameters }, o.init))
end

--- x where it is positive, else x times its channel's slope; channels are dimension 2.
function PReLU:forward(x)
  local weight = self.weight
  if self.num_parameters > 1 and x:dim() > 2 then
    local shape = { self.num_parameters }
    for d = 2, x:dim() - 1 do shape[d] = 1 end
    weight = weight:reshape(shape)
  end
  return x:relu() - (-x):relu() * weight
end

function PReLU:extra_repr() return "num_parameters=" .. self.num_parameters end

return activations
