--- Evaluates every so many updates, beside the evaluation after each epoch: the metrics are called
-- "intermediate_eval_loss", "intermediate_eval_<metric>". (train's eval_every evaluates instead of
-- it.)

local class = require "perilune.class"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local StepBasedEvaluationCallback = class("StepBasedEvaluationCallback", TrainerCallback)

StepBasedEvaluationCallback.options = {
  { "eval_every_n_steps", type = "integer", min = 1, required = true, doc = "optimizer updates" },
}

function StepBasedEvaluationCallback:on_optimizer_step_end(trainer)
  if trainer.eval_sets and trainer.update % self.eval_every_n_steps == 0 then
    trainer:evaluate_now()
  end
end

return StepBasedEvaluationCallback
