--- precision = "16-mixed": autocast in f16 with dynamic loss scaling. What sees gradients sees them
-- without the scale; an update with infinite ones is left out and counted in
-- `scaler.skipped_updates`.

local class = require "perilune.class"
local GradScaler = require "perilune.grad_scaler"
local MixedPrecision = require "perilune.precision.mixed"

local ScaledPrecision = class("ScaledPrecision", MixedPrecision)

ScaledPrecision.mixed_precision = "f16"

ScaledPrecision.options = {
  { "scaler", type = GradScaler, doc = "pl.GradScaler{ ... }; one with its defaults if not given" },
}

function ScaledPrecision:init(o)
  self.scaler = ScaledPrecision:check(o).scaler or GradScaler()
end

function ScaledPrecision:backward(loss)
  self.scaler:scale(loss):backward()
end

-- The verdict holds for the whole update, however many optimizers step in it.
function ScaledPrecision:unscale_gradients(optimizer)
  self.finite = self.scaler:unscale_(optimizer)
  self.scaler:update()
end

function ScaledPrecision:optimizer_step(optimizer)
  if self.finite then optimizer:step() end
  return self.finite
end

function ScaledPrecision:state_dict()
  return self.scaler:state_dict()
end

function ScaledPrecision:load_state_dict(state)
  self.scaler:load_state_dict(state)
end

return ScaledPrecision
