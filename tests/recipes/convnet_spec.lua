local support = require "tests.recipes.support"

describe("recipes/convnet.lua", function()
  it("learns from augmented images", function()
    local result = support.results("convnet",
      "--limit 300 --epochs 2 --batch-size 16 --seed 1 --quiet")
    assert.are.equal(2, #result.train_loss)
    assert.is_true(result.train_loss[2] < result.train_loss[1])
    assert.are.equal(result.test_accuracy, result.test_accuracies[2])
    assert.is_true(result.test_accuracy > 0.3, result.test_accuracy)
  end)
end)
