-- Fine-tuning with a replaced head: a network that has learnt to tell shirts, shoes and bags apart
-- gets a new head and learns five other classes from a few images of each, beside one that starts
-- afresh.
--
--   command    build/perilune recipes/finetune.lua
--   hardware   any CPU; no accelerator is used
--   time       7.8 s on one core of an AMD EPYC (Zen 4)
--   expect     a test accuracy of 0.723 fine-tuned and 0.697 from scratch, with seed 1

local pl = require "perilune"
local nn, optim, data, recipe = pl.nn, pl.optim, pl.data, pl.recipe

local options = recipe.options("Fine-tunes a pretrained network on few images of other classes.", {
  { "epochs", 20 },
  { "pretrain_epochs", 2, type = "integer", min = 1, doc = "passes over the first classes" },
  { "images", 5, type = "integer", min = 1, doc = "images of each new class to learn from" },
})

local function images(split, classes, count)
  local set = data.FashionMNIST{ root = options.data, split = split, channels = true }
  return recipe.limited(recipe.of_classes(set, classes, count), options.limit)
end

local old_classes, new_classes = { 1, 2, 3, 6, 8, 9 }, { 4, 5, 7, 10 }

local function network()
  return nn.Sequential{
    { "backbone", nn.Sequential{
      nn.Conv2d(1, 16, 5, { stride = 2, padding = 2 }), nn.BatchNorm2d(16), nn.ReLU(),
      nn.Conv2d(16, 32, 3, { stride = 2, padding = 1 }), nn.BatchNorm2d(32), nn.ReLU(),
      nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(),
    } },
    { "head", nn.Linear(128, 10) },
  }
end

local function train(model, set, epochs, batch_size)
  local trainer = pl.Trainer{
    model = model,
    loss_func = nn.CrossEntropyLoss(),
    optimizer = optim.SGD(model:parameters(), { lr = 0.01, momentum = 0.9 }),
    metrics = { "accuracy" },
    quiet = options.quiet,
  }
  trainer:train{
    train_dataset = set, num_epochs = epochs, per_device_batch_size = batch_size,
    create_scheduler_fn = pl.schedulers.StepLR:create_scheduler_fn{
      step_size = function(run)
        return math.ceil(run.num_epochs * run.num_update_steps_per_epoch / 2)
      end,
    },
  }
  return trainer
end

local few, test = images("train", new_classes, options.images), images("test", new_classes)

local function learn_new_classes(model)
  model.head = nn.Linear(128, 10)
  local trainer = train(model, few, options.epochs, 10)
  return trainer:evaluate{ dataset = test, per_device_batch_size = 64 }.evaluation_accuracy
end

local pretrained = network()
train(pretrained, images("train", old_classes), options.pretrain_epochs, 64)
local accuracy = learn_new_classes(pretrained)
local from_scratch = learn_new_classes(network())

if not options.quiet then
  print(("test accuracy %.4f fine-tuned, %.4f from scratch"):format(accuracy, from_scratch))
end
recipe.write_results(options, { test_accuracy = accuracy, from_scratch = from_scratch })
