--- Logs the 2-norm of all gradients before clipping, "gradient_norm", in the updates that log_every
-- names; with per_parameter that of each parameter too, "gradient_norm.1.weight", and with
-- histograms how their elements are spread, "gradient_histogram.1.weight".

local class = require "perilune.class"
local context = require "perilune.context"
local ops = require "perilune.ops"
local histogram = require "perilune.histogram"
local gradients = require "perilune.trainer.gradients"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local GradientMonitor = class("GradientMonitor", TrainerCallback)

GradientMonitor.options = {
  { "per_parameter", false, doc = "log the norm of every parameter's gradient too" },
  { "histograms", false, doc = "log a histogram of every parameter's gradient: { counts, edges }" },
  { "bins", 64, type = "integer", min = 1, doc = "of each histogram" },
}

local function norm_of(grads)
  return context.no_grad(ops.call, "total_norm", { grads })
end

function GradientMonitor:on_before_optimizer_step(trainer)
  if not trainer.log_due then return end
  local grads = gradients.list(trainer.optimizer)
  if #grads > 0 then trainer:log("gradient_norm", norm_of(grads)) end
  if not (self.per_parameter or self.histograms) then return end
  for name, parameter in trainer.model:named_parameters() do
    local grad = parameter.grad
    if grad and self.per_parameter then trainer:log("gradient_norm." .. name, norm_of{ grad }) end
    if grad and self.histograms then
      trainer:log("gradient_histogram." .. name, histogram(grad, self.bins))
    end
  end
end

return GradientMonitor
