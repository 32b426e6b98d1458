local support = require "tests.recipes.support"

describe("recipes/gradual_unfreezing.lua", function()
  it("unfreezes three parts after the head, and becomes better", function()
    local result = support.results("gradual_unfreezing",
      "--limit 600 --epochs 2 --pretrain-epochs 1 --images 20 --seed 1 --quiet")
    assert.are.equal(4, #result.test_accuracies)
    assert.is_true(result.test_accuracies[4] > result.test_accuracies[1])
    assert.are.equal(result.test_accuracy, result.test_accuracies[4])
  end)
end)
