-- Cross-validation on few images.
local support = require "tests.recipes.support"

-- Which samples each fold holds out, and the vote beside the probabilities of the models.
local folds = [[
seen.held_out, seen.leaked, seen.times = {}, 0, {}
function watch:on_training_run_start(trainer)
  local held_out = {}
  seen.held_out[#trainers] = trainer.eval_dataset:size()
  for i = 1, trainer.eval_dataset:size() do
    local index = trainer.eval_dataset:index(i)
    held_out[index] = true
    seen.times[index] = (seen.times[index] or 0) + 1
  end
  for _, part in ipairs(trainer.train_dataset.datasets) do
    for i = 1, part:size() do
      if held_out[part:index(i)] then seen.leaked = seen.leaked + 1 end
    end
  end
end
function watch:on_evaluation_run_start(trainer)
  local images = first_batch(trainer.eval_dataset)[1]
  local sum = 0
  for i = 1, 3 do sum = trainers[i].model(images):softmax(-1) + sum end
  seen.error = (trainer.model(images):exp() - sum / 3):abs():max():item()
  seen.one_model = trainers[1].model == trainers[2].model
end
]]

describe("recipes/k_fold.lua", function()
  it("trains a model for each fold, and has them vote", function()
    local result = support.results("k_fold", "--folds 3 --epochs 3 --limit 300 --seed 1 --quiet")
    assert.are.equal(3, #result.fold_accuracies)
    local sum = 0
    for _, accuracy in ipairs(result.fold_accuracies) do
      assert.is_true(accuracy > 0.3 and accuracy < 1)
      sum = sum + accuracy
    end
    assert.is_true(math.abs(sum / 3 - result.mean) < 1e-6)
    assert.is_true(result.deviation > 0)
    assert.is_true(result.vote_accuracy > 0.3)
  end)

  it("holds each sample out once, and takes the mean of all models", function()
    local seen = support.observed("k_fold", "--folds 3 --epochs 1 --limit 60 --seed 1 --quiet",
      folds)
    assert.are.same({ 20, 20, 20 }, seen.held_out)
    assert.are.equal(60, #seen.times)
    for _, times in ipairs(seen.times) do assert.are.equal(1, times) end
    assert.are.equal(0, seen.leaked)
    assert.is_true(seen.error < 1e-5, seen.error)
    assert.is_false(seen.one_model)
  end)
end)
