local support = require "tests.recipes.support"

describe("recipes/metrics_in_loop.lua", function()
  it("measures accuracy and confidence", function()
    local result = support.results("metrics_in_loop", "--limit 1000 --epochs 2 --seed 1 --quiet")
    assert.is_true(result.test_accuracy > 0.4)
    assert.is_true(result.confidence > 0.1 and result.confidence < 1)
    assert.is_true(result.confidence ~= result.test_accuracy)
  end)
end)
