-- Cross-validation on few images.
local support = require "tests.recipes.support"

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
end)
