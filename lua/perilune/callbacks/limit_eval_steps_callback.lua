--- Limits evaluations during training to their first batches: those in the middle of an epoch, or
-- all of them.

local class = require "perilune.class"
local limits = require "perilune.trainer.limits"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local LimitEvalStepsCallback = class("LimitEvalStepsCallback", TrainerCallback)

LimitEvalStepsCallback.options = {
  { "num_eval_steps", type = "integer", min = 1, required = true,
    doc = "batches of an evaluation" },
  { "limit_intermediate_only", true, doc = "false limits those after an epoch too" },
}

--- Before the progress bar, which shows how many batches there are.
LimitEvalStepsCallback.priority = 10

function LimitEvalStepsCallback:on_eval_epoch_start(trainer, is_intermediate)
  if self.limit_intermediate_only and not is_intermediate then return end
  self.whole = trainer.eval_dataloader
  trainer.eval_dataloader = limits.sliced(self.whole, { batches = self.num_eval_steps })
end

function LimitEvalStepsCallback:on_eval_epoch_end(trainer)
  if self.whole then trainer.eval_dataloader, self.whole = self.whole, nil end
end

return LimitEvalStepsCallback
