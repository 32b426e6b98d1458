-- Progressive resizing: a network that takes images of any size learns from small ones first, which
-- is cheap, then from larger ones. A size ends when the accuracy no longer grows, and hands its
-- best weights on.
--
--   command    build/perilune recipes/progressive_resizing.lua
--   hardware   any CPU; no accelerator is used
--   time       52 s on one core of an AMD EPYC (Zen 4)
--   expect     test accuracies at 28 x 28 of 0.595, 0.837 and 0.896 size by size, with seed 1

local pl = require "perilune"
local nn, optim, data, recipe = pl.nn, pl.optim, pl.data, pl.recipe
local T = data.transforms

local options = recipe.options("Trains on images of Fashion-MNIST that grow.", {
  { "epochs", 3, doc = "passes over the training images of one size, at most" },
  { "lr", 0.002, min = 0, doc = "learning rate" },
  { "save_path", "best_model.safetensors", doc = "file for the best weights of a size" },
})

local function images(split, size)
  local set = data.FashionMNIST{ root = options.data, split = split, channels = true,
    transform = T.compose{ T.resize(size), T.normalize(0.286, 0.353) } }
  return recipe.limited(set, options.limit)
end

local model = nn.Sequential{
  nn.Conv2d(1, 16, 5, { stride = 2, padding = 2 }), nn.BatchNorm2d(16), nn.ReLU(),
  nn.Conv2d(16, 32, 3, { padding = 1 }), nn.BatchNorm2d(32), nn.ReLU(),
  nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(32 * 4 * 4, 128), nn.ReLU(), nn.Linear(128, 10),
}

local trainer = pl.Trainer{
  model = model,
  loss_func = nn.CrossEntropyLoss(),
  optimizer = optim.AdamW(model:parameters(), { lr = options.lr }),
  metrics = { "accuracy" },
  quiet = options.quiet,
}
trainer:add_callback(pl.callbacks.SaveBestModelCallback{
  watch_metric = "eval_accuracy", greater_is_better = true, save_path = options.save_path,
})
trainer:add_callback(pl.callbacks.EarlyStoppingCallback{
  watch_metric = "eval_accuracy", greater_is_better = true, early_stopping_threshold = 0.001,
})

local accuracies = {}
for i, size in ipairs{ 12, 20, 28 } do
  trainer:train{
    train_dataset = images("train", size), eval_dataset = images("test", size),
    num_epochs = options.epochs, per_device_batch_size = 64, reset_run_history = false,
  }
  local result = trainer:evaluate{ dataset = images("test", 28), per_device_batch_size = 64 }
  accuracies[i] = result.evaluation_accuracy
  trainer:print(("after images of %d x %d: test accuracy %.4f at 28 x 28"):format(size, size,
    accuracies[i]))
end
recipe.write_results(options, { test_accuracies = accuracies,
  test_accuracy = accuracies[#accuracies] })
