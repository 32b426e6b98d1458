--- nn.Linear: y = x weight^T + bias, weight out_features x in_features.
-- Initialised as PyTorch does: weight kaiming_uniform with a = sqrt(5), bias uniform within
-- 1 / sqrt(in_features).

local class = require "perilune.class"
local create = require "perilune.create"
local ops = require "perilune.ops"
local Module = require "perilune.nn.module"
local Parameter = require("perilune.nn.parameter").Parameter
local init = require "perilune.nn.initializers"

local Linear = class("Linear", Module)
Linear.options = {
  { "in_features", type = "integer", required = true, min = 1, doc = "size of each input" },
  { "out_features", type = "integer", required = true, min = 1, doc = "size of each output" },
  { "bias", true, doc = "learn an additive bias" },
  { "dtype", "f32", type = "string", doc = "dtype of the parameters" },
}

function Linear:init(o)
  o = Linear:check(o)
  local options = { dtype = o.dtype }
  self.in_features, self.out_features = o.in_features, o.out_features
  self.weight = Parameter(create.empty({ o.out_features, o.in_features }, options))
  if o.bias then self.bias = Parameter(create.empty({ o.out_features }, options)) end
  self:reset_parameters()
end

--- Draw weight and bias anew.
function Linear:reset_parameters()
  init.kaiming_uniform_(self.weight, { a = math.sqrt(5) })
  if self.bias then
    local bound = 1 / math.sqrt(self.in_features)
    init.uniform_(self.bias, -bound, bound)
  end
end

function Linear:forward(x)
  return x:linear(self.weight, self.bias)
end

-- One product with the activation fused into it, standing for the layer in error texts.
local Fused = { __call = Module.__call }
Fused.__index = Fused

function Fused:forward(x)
  local layer = self.stands_for
  return x:linear(layer.weight, layer.bias, self.activation)
end

--- Offer Sequential one call for this layer and the activation after it.
function Linear:fuse(following)
  local activation = following.fused_activation
  if not activation or self.forward ~= Linear.forward
    or following.forward ~= following.fused_forward then
    return nil
  end
  return setmetatable({
    stands_for = self, activation = ops.prepare("linear", { activation = activation }),
  }, Fused)
end

function Linear:shape_text()
  return ("%d -> %d"):format(self.in_features, self.out_features)
end

function Linear:extra_repr()
  return ("in_features=%d, out_features=%d, bias=%s"):format(self.in_features, self.out_features,
    tostring(self.bias ~= nil))
end

return Linear
