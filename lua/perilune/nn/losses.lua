--- Loss layers: called as loss(input, target). Each is a row over nn.functional, whose options
-- are the layer's; they stay plain fields, so changing one takes effect at the next call.

local class = require "perilune.class"
local Module = require "perilune.nn.module"
local functional = require "perilune.nn.functional"

local losses = {}

local rows = {
  { "CrossEntropyLoss", "cross_entropy", functional.class_options },
  { "NLLLoss", "nll_loss", functional.nll_options },
  { "MSELoss", "mse_loss", functional.pair_options },
  { "L1Loss", "l1_loss", functional.pair_options },
  { "HuberLoss", "huber_loss", functional.huber_options },
  { "SmoothL1Loss", "smooth_l1_loss", functional.smooth_options },
  { "BCELoss", "binary_cross_entropy", functional.bce_options },
  { "BCEWithLogitsLoss", "binary_cross_entropy_with_logits", functional.bce_logits_options },
  { "KLDivLoss", "kl_div", functional.kl_options },
}

local function options_of(loss, schema)
  local options = {}
  for _, entry in ipairs(schema) do options[entry[1]] = loss[entry[1]] end
  return options
end

local function repr(loss, schema)
  local parts = {}
  for _, entry in ipairs(schema) do
    local value = loss[entry[1]]
    if entry.type ~= "tensor" then
      parts[#parts + 1] = ("%s=%s"):format(entry[1], tostring(value))
    end
  end
  return table.concat(parts, ", ")
end

for _, row in ipairs(rows) do
  local name, fn, schema = row[1], functional[row[2]], row[3]
  local Loss = class(name, Module)
  Loss.options = schema
  function Loss:init(o)
    o = Loss:check(o)
    for _, entry in ipairs(schema) do
      local value = o[entry[1]]
      if entry.type == "tensor" and value then
        self:register_buffer(entry[1], value)
      else
        self[entry[1]] = value
      end
    end
  end
  function Loss:forward(input, target)
    return fn(input, target, options_of(self, schema))
  end
  function Loss:extra_repr()
    return repr(self, schema)
  end
  losses[name] = Loss
end

local CrossEntropyLoss = losses.CrossEntropyLoss
local with_options = CrossEntropyLoss.forward

-- The usual call without options goes straight to the op: it is in every training step.
function CrossEntropyLoss:forward(input, target)
  if self.label_smoothing == 0 and self.reduction == "mean" and self.ignore_index == -100
    and not self.weight then
    return input:cross_entropy(target)
  end
  return with_options(self, input, target)
end

return losses
