--- precision = "bf16-mixed", and what "16-mixed" builds on: autocast around forward passes;
-- parameters, their gradients and the optimizer stay f32.

local class = require "perilune.class"
local context = require "perilune.context"
local Precision = require "perilune.precision"

local MixedPrecision = class("MixedPrecision", Precision)

MixedPrecision.mixed_precision = "bf16"

function MixedPrecision:forward(f, trainer, batch)
  return context.autocast(self.mixed_precision, f, trainer, batch)
end

return MixedPrecision
