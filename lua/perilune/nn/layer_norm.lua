--- nn.LayerNorm: the last dimensions of every sample brought to mean 0 and variance 1.

local class = require "perilune.class"
local create = require "perilune.create"
local errors = require "perilune.errors"
local ops = require "perilune.ops"
local Module = require "perilune.nn.module"
local Parameter = require("perilune.nn.parameter").Parameter

local LayerNorm = class("LayerNorm", Module)
LayerNorm.options = {
  { "normalized_shape", type = { "integer", "table" }, required = true,
    doc = "sizes of the last dimensions" },
  { "eps", 1e-5, min = 0, doc = "added to the variance" },
  { "elementwise_affine", true, doc = "learn a weight and a bias" },
  { "bias", true, doc = "learn the bias too" },
}

function LayerNorm:init(o)
  o = LayerNorm:check(o)
  local shape = type(o.normalized_shape) == "number" and { o.normalized_shape }
    or { unpack(o.normalized_shape) }
  if #shape == 0 then
    errors.raise("argument", "LayerNorm: normalized_shape is empty",
      { argument = "normalized_shape" })
  end
  local axes = {}
  for i = 1, #shape do axes[i] = i - #shape - 1 end
  self.normalized_shape, self.eps, self.elementwise_affine = shape, o.eps, o.elementwise_affine
  self.attributes = ops.prepare("layer_norm", { axes = axes, eps = o.eps })
  if o.elementwise_affine then
    self.weight = Parameter(create.ones(shape))
    if o.bias then self.bias = Parameter(create.zeros(shape)) end
  end
end

--- Without weights nothing else says what shape the layer was made for.
local function check_shape(self, x)
  local shape, n = x.shape, #self.normalized_shape
  for i = 1, n do
    if shape[#shape - n + i] ~= self.normalized_shape[i] then
      errors.raise("shape", ("LayerNorm: an input of %s does not end in %s"):format(
        table.concat(shape, "x"), table.concat(self.normalized_shape, "x")), { argument = "x" })
    end
  end
end

function LayerNorm:forward(x)
  if not self.weight then check_shape(self, x) end
  return x:layer_norm(self.weight, self.bias, self.attributes)
end

function LayerNorm:extra_repr()
  local shape = self.normalized_shape
  return ("(%s%s), eps=%s, elementwise_affine=%s"):format(table.concat(shape, ", "),
    #shape == 1 and "," or "", tostring(self.eps), tostring(self.elementwise_affine))
end

return LayerNorm
