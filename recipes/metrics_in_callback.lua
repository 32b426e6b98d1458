-- Metrics in a callback: the F1 score of each class and their mean after every evaluation, recorded
-- beside the loss, so that the log, loggers and `watch_metric` see them.
--
--   command    build/perilune recipes/metrics_in_callback.lua
--   hardware   any CPU; no accelerator is used
--   time       1.9 s for 4 epochs on one core of an AMD EPYC (Zen 4)
--   expect     a mean F1 score of 0.867, the mean of three seeds

local pl = require "perilune"
local nn, optim, data, recipe = pl.nn, pl.optim, pl.data, pl.recipe

local options = recipe.options("Measures F1 scores in a callback on Fashion-MNIST.", {
  { "epochs", 4 },
})

-- Of counts[target][prediction]: 2 hits / (samples of the class + samples taken for it).
local function f1_scores(counts)
  local scores = {}
  for class, row in ipairs(counts) do
    local samples, taken = 0, 0
    for other, count in ipairs(row) do
      samples, taken = samples + count, taken + counts[other][class]
    end
    scores[class] = samples + taken > 0 and 2 * row[class] / (samples + taken) or 0
  end
  return scores
end

local F1Callback = pl.class("F1Callback", pl.callbacks.TrainerCallback)

function F1Callback:init(num_classes)
  self.confusion = pl.metrics.ConfusionMatrix(num_classes)
end

function F1Callback:on_eval_epoch_start()
  self.confusion:reset()
end

function F1Callback:on_eval_step_end(_, batch, output)
  self.confusion:update(output.model_outputs, batch[2])
end

function F1Callback:on_eval_epoch_end(trainer)
  self.scores = f1_scores(self.confusion:compute())
  local sum = 0
  for _, score in ipairs(self.scores) do sum = sum + score end
  trainer.run_history:update_metric("eval_macro_f1", sum / #self.scores)
end

local function images(split)
  return recipe.limited(data.FashionMNIST{ root = options.data, split = split }, options.limit)
end

local model = nn.Sequential{ nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10) }
local trainer = pl.Trainer{
  model = model,
  loss_func = nn.CrossEntropyLoss(),
  optimizer = optim.AdamW(model:parameters(), { lr = 0.001 }),
  quiet = options.quiet,
}
local f1 = trainer:add_callback(F1Callback(10))
local history = trainer:train{
  train_dataset = images "train", eval_dataset = images "test",
  num_epochs = options.epochs, per_device_batch_size = 64,
}

for class, name in ipairs(data.FashionMNIST.classes) do
  trainer:print(("%-12s F1 %.4f"):format(name, f1.scores[class]))
end
recipe.write_results(options, { f1_scores = f1.scores,
  macro_f1 = history:get_metric_values("eval_macro_f1") })
