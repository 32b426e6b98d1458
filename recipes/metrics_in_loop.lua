-- Metrics in the loop: a subclass of the Trainer measures while it evaluates, in the phases that it
-- overrides. A metric that outputs and targets are enough for needs none of this: it goes into
-- `metrics`, as accuracy does here.
--
--   command    build/perilune recipes/metrics_in_loop.lua
--   hardware   any CPU; no accelerator is used
--   time       2.1 s for 4 epochs on one core of an AMD EPYC (Zen 4)
--   expect     a test accuracy of 0.867, the model expects 0.867, means of three seeds

local pl = require "perilune"
local nn, optim, data, recipe = pl.nn, pl.optim, pl.data, pl.recipe

local options = recipe.options("Measures how sure a model is, in the loop, on Fashion-MNIST.", {
  { "epochs", 4 },
})

-- Records how probable the model finds its own answers. Where it knows how sure it may be, that is
-- its accuracy.
local ConfidenceTrainer = pl.class("ConfidenceTrainer", pl.Trainer)

function ConfidenceTrainer:init(o)
  pl.Trainer.init(self, o)
  self.confidence = pl.metrics.Mean()
end

function ConfidenceTrainer:eval_epoch_start()
  pl.Trainer.eval_epoch_start(self)
  self.confidence:reset()
end

function ConfidenceTrainer:calculate_eval_batch_loss(batch)
  local output = pl.Trainer.calculate_eval_batch_loss(self, batch)
  self.confidence:update(output.model_outputs:softmax(-1):max(-1))
  return output
end

function ConfidenceTrainer:eval_epoch_end()
  self.run_history:update_metric("eval_confidence", self.confidence:compute())
end

local function images(split)
  return recipe.limited(data.FashionMNIST{ root = options.data, split = split }, options.limit)
end

local model = nn.Sequential{ nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10) }
local trainer = ConfidenceTrainer{
  model = model,
  loss_func = nn.CrossEntropyLoss(),
  optimizer = optim.AdamW(model:parameters(), { lr = 0.001 }),
  metrics = { "accuracy" },
  quiet = options.quiet,
}
local history = trainer:train{
  train_dataset = images "train", eval_dataset = images "test",
  num_epochs = options.epochs, per_device_batch_size = 64,
}

local accuracy = history:get_latest_metric("eval_accuracy")
local confidence = history:get_latest_metric("eval_confidence")
trainer:print(("test accuracy %.4f, the model expects %.4f"):format(accuracy, confidence))
recipe.write_results(options, { test_accuracy = accuracy, confidence = confidence })
