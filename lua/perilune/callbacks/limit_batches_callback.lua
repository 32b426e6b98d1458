--- Limits every pass over a loader, in training and in evaluations, to its first batches.

local class = require "perilune.class"
local limits = require "perilune.trainer.limits"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local LimitBatchesCallback = class("LimitBatchesCallback", TrainerCallback)

LimitBatchesCallback.options = {
  { "num_batches", type = "integer", min = 1, required = true, doc = "how many of each pass" },
}

local function limit_evaluations(self, trainer)
  if not trainer.eval_sets then return end
  trainer.eval_sets = limits.sliced_sets(trainer.eval_sets, self.num_batches)
  trainer.eval_dataloader = trainer.eval_sets[1].dataloader
end

function LimitBatchesCallback:on_training_run_start(trainer)
  trainer.train_dataloader = limits.sliced(trainer.train_dataloader, { batches = self.num_batches })
  limit_evaluations(self, trainer)
end

function LimitBatchesCallback:on_evaluation_run_start(trainer)
  limit_evaluations(self, trainer)
end

return LimitBatchesCallback
