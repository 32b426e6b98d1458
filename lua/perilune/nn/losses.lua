--- Loss layers, called as loss(input, target): each is a loss function with its options as fields,
-- so changing one takes effect at the next call. Tensors among them are buffers.

local class = require "perilune.class"
local Module = require "perilune.nn.module"
local functions = require "perilune.nn.loss_functions"

local losses = {}

local rows = {
  CrossEntropyLoss = "cross_entropy",
  NLLLoss = "nll_loss",
  MSELoss = "mse_loss",
  L1Loss = "l1_loss",
  HuberLoss = "huber_loss",
  SmoothL1Loss = "smooth_l1_loss",
  BCELoss = "binary_cross_entropy",
  BCEWithLogitsLoss = "binary_cross_entropy_with_logits",
  KLDivLoss = "kl_div",
}

local function take_options(loss, options, o)
  for _, entry in ipairs(options) do
    local name, value = entry[1], o[entry[1]]
    if entry.type == "tensor" and value then
      loss:register_buffer(name, value)
    else
      loss[name] = value
    end
  end
end

local function repr(loss, options)
  local parts = {}
  for _, entry in ipairs(options) do
    if entry.type ~= "tensor" then
      parts[#parts + 1] = ("%s=%s"):format(entry[1], tostring(loss[entry[1]]))
    end
  end
  return table.concat(parts, ", ")
end

for name, fn in pairs(rows) do
  local options, compute = functions[fn].options, functions[fn].compute
  local Loss = class(name, Module)
  Loss.options = options
  function Loss:init(o) take_options(self, options, Loss:check(o)) end
  function Loss:forward(input, target) return compute(input, target, self) end
  function Loss:extra_repr() return repr(self, options) end
  losses[name] = Loss
end

return losses
