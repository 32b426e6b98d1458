--- Changes how many batches an update is made of, from given epochs on:
-- GradientAccumulationScheduler{ scheduling = { { 1, 1 }, { 5, 4 } } } makes it 4 from epoch 5.

local class = require "perilune.class"
local errors = require "perilune.errors"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local GradientAccumulationScheduler = class("GradientAccumulationScheduler", TrainerCallback)

GradientAccumulationScheduler.options = {
  { "scheduling", type = "list", required = true,
    doc = "pairs of an epoch, from 1, and the batches of an update from it on" },
}

local function is_count(n)
  return type(n) == "number" and n >= 1 and n % 1 == 0
end

function GradientAccumulationScheduler:init(o)
  self.scheduling = GradientAccumulationScheduler:check(o).scheduling
  local last = 0
  for i, pair in ipairs(self.scheduling) do
    if type(pair) ~= "table" or not (is_count(pair[1]) and is_count(pair[2]))
      or pair[1] <= last then
      errors.raise("argument", ("GradientAccumulationScheduler: entry %d must be { epoch, batches"
        .. " }, both from 1 and epochs in rising order"):format(i), { argument = "scheduling" })
    end
    last = pair[1]
  end
end

function GradientAccumulationScheduler:on_train_epoch_start(trainer)
  for _, pair in ipairs(self.scheduling) do
    if trainer.run_history.current_epoch >= pair[1] then
      trainer.gradient_accumulation_steps = pair[2]
    end
  end
end

return GradientAccumulationScheduler
