local support = require "tests.recipes.support"

local augmented = [[
local function changes(dataset)
  return not same(first_batch(dataset, 1)[1], first_batch(dataset, 2)[1])
end
function watch:on_training_run_start(trainer)
  seen.training_changes = changes(trainer.train_dataset)
  seen.evaluation_changes = changes(trainer.eval_dataset)
  seen.rates = {}
end
function watch:on_optimizer_step_end(trainer)
  seen.rates[trainer.update] = trainer.optimizer.param_groups[1].lr
end
]]

describe("recipes/convnet.lua", function()
  it("learns from augmented images, with one cycle of the learning rate", function()
    local seen, result = support.observed("convnet",
      "--limit 300 --epochs 2 --batch-size 16 --seed 1 --quiet", augmented)
    assert.are.equal(2, #result.train_loss)
    assert.is_true(result.train_loss[2] < result.train_loss[1])
    assert.are.equal(result.test_accuracy, result.test_accuracies[2])
    assert.is_true(result.test_accuracy > 0.3, result.test_accuracy)
    assert.is_true(seen.training_changes)
    assert.is_false(seen.evaluation_changes)
    local highest = math.max(unpack(seen.rates))
    assert.is_near(0.003, highest, 1e-4)
    assert.is_true(seen.rates[1] < highest / 10 and seen.rates[#seen.rates] < highest / 10)
  end)
end)
