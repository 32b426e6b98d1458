-- Gradual unfreezing: the new head of a pretrained network learns alone; then one part after the
-- other joins in, the earlier ones with smaller learning rates, each time with a one-cycle schedule
-- of its own. One Trainer and one history go through all of it.
--
--   command    build/perilune recipes/gradual_unfreezing.lua
--   hardware   any CPU; no accelerator is used
--   time       11 s on one core of an AMD EPYC (Zen 4)
--   expect     test accuracies of 0.823, 0.868, 0.875 and 0.870 part by part, with seed 1

local pl = require "perilune"
local nn, optim, data, recipe = pl.nn, pl.optim, pl.data, pl.recipe

local options = recipe.options("Unfreezes a pretrained network part by part.", {
  { "epochs", 5, doc = "passes over the new classes before the next part is unfrozen" },
  { "pretrain_epochs", 2, type = "integer", min = 1, doc = "passes over the first classes" },
  { "images", 100, type = "integer", min = 1, doc = "images of each new class to learn from" },
  { "lr", 0.003, min = 0, doc = "the head's highest learning rate; the part before has a third" },
})

local function images(split, classes, count)
  local set = data.FashionMNIST{ root = options.data, split = split, channels = true }
  return recipe.limited(recipe.of_classes(set, classes, count), options.limit)
end

local old_classes, new_classes = { 1, 2, 3, 6, 8, 9 }, { 4, 5, 7, 10 }

local function block(inputs, outputs, size)
  return nn.Sequential{
    nn.Conv2d(inputs, outputs, size, { stride = 2, padding = math.floor(size / 2) }),
    nn.BatchNorm2d(outputs), nn.ReLU(),
  }
end

local model = nn.Sequential{
  { "stem", block(1, 16, 5) }, { "body", block(16, 32, 3) },
  { "neck", nn.Sequential{ nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU() } },
  { "head", nn.Linear(128, 10) },
}

local function trainer_of(optimizer)
  return pl.Trainer{ model = model, loss_func = nn.CrossEntropyLoss(), optimizer = optimizer,
    metrics = { "accuracy" }, quiet = options.quiet }
end

local function one_cycle(max_lr)
  return pl.schedulers.OneCycleLR:create_scheduler_fn{ max_lr = max_lr }
end

trainer_of(optim.AdamW(model:parameters())):train{
  train_dataset = images("train", old_classes), num_epochs = options.pretrain_epochs,
  per_device_batch_size = 64, create_scheduler_fn = one_cycle(options.lr),
}

model.head = nn.Linear(128, 10)
local freezer = pl.finetuning.ModelFreezer(model)
freezer:freeze()

local optimizer = optim.AdamW(freezer:get_trainable_parameters())
local trainer, rates = trainer_of(optimizer), { options.lr }
local few, test = images("train", new_classes, options.images), images("test", new_classes)

local function train()
  return trainer:train{
    train_dataset = few, eval_dataset = test, num_epochs = options.epochs,
    per_device_batch_size = 20, create_scheduler_fn = one_cycle(rates), reset_run_history = false,
  }:get_latest_metric("eval_accuracy")
end

local accuracies = { train() }
for index = -2, -4, -1 do
  for _, group in ipairs(freezer:unfreeze{ from_index = index, to_index = index }) do
    optimizer:add_param_group(group)
    rates[#rates + 1] = rates[#rates] / 3
  end
  accuracies[#accuracies + 1] = train()
end

for parts, accuracy in ipairs(accuracies) do
  trainer:print(("parts that learn: %d, test accuracy %.4f"):format(parts, accuracy))
end
recipe.write_results(options, { test_accuracies = accuracies,
  test_accuracy = accuracies[#accuracies] })
