-- A loss of one's own: focal loss, which counts the samples less that a model already gets right
-- (Lin et al., 2017), as a subclass of nn.Module. A subclass of the Trainer trains with it and
-- evaluates with plain cross-entropy.
--
--   command    build/perilune recipes/custom_loss.lua
--   hardware   any CPU; no accelerator is used
--   time       1.9 s for 4 epochs on one core of an AMD EPYC (Zen 4)
--   expect     a test accuracy of 0.858, the mean of three seeds

local pl = require "perilune"
local nn, optim, data, recipe = pl.nn, pl.optim, pl.data, pl.recipe

local options = recipe.options("Trains on Fashion-MNIST with a focal loss.", {
  { "epochs", 4 },
  { "gamma", 2, min = 0, doc = "how much less easy samples count; 0 is cross-entropy" },
})

local FocalLoss = pl.class("FocalLoss", nn.Module)
FocalLoss.options = { { "gamma", 2, min = 0, doc = "how much less easy samples count" } }

function FocalLoss:init(o)
  nn.Module.init(self)
  self.gamma = FocalLoss:check(o).gamma
end

function FocalLoss:forward(outputs, targets)
  local loss = nn.functional.cross_entropy(outputs, targets, { reduction = "none" })
  local probability = (-loss):exp()
  return ((1 - probability) ^ self.gamma * loss):mean()
end

local FocalTrainer = pl.class("FocalTrainer", pl.Trainer)
FocalTrainer.options = {
  { "train_loss_func", type = "callable", required = true, doc = "the loss to train with" },
}

function FocalTrainer:init(o)
  o = FocalTrainer:check(o)
  pl.Trainer.init(self, o)
  self.train_loss_func = o.train_loss_func
end

function FocalTrainer:calculate_train_batch_loss(batch)
  local images, labels = batch[1], batch[2]
  local outputs = self.model(images)
  return { loss = self.train_loss_func(outputs, labels), model_outputs = outputs,
    batch_size = images:size(1) }
end

local function images(split)
  return recipe.limited(data.FashionMNIST{ root = options.data, split = split }, options.limit)
end

local model = nn.Sequential{ nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10) }
local trainer = FocalTrainer{
  model = model,
  loss_func = nn.CrossEntropyLoss(),
  train_loss_func = FocalLoss{ gamma = options.gamma },
  optimizer = optim.AdamW(model:parameters(), { lr = 0.001 }),
  metrics = { "accuracy" },
  quiet = options.quiet,
}
trainer:train{ train_dataset = images "train", num_epochs = options.epochs,
  per_device_batch_size = 64 }
local result = trainer:evaluate{ dataset = images "test", per_device_batch_size = 64 }

trainer:print(("test accuracy %.4f"):format(result.evaluation_accuracy))
recipe.write_results(options, { test_accuracy = result.evaluation_accuracy,
  test_loss = result.evaluation_loss,
  train_loss = trainer.run_history:get_latest_metric("train_loss_epoch") })
