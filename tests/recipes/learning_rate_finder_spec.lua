local support = require "tests.recipes.support"

describe("recipes/learning_rate_finder.lua", function()
  it("draws the curve and trains with what it found", function()
    local code, out, err = support.run("learning_rate_finder", "--limit 1000 --epochs 2 --seed 1")
    assert.are.equal(0, code, err)
    assert.truthy(out:find("smoothed loss", 1, true), out)
    local result = support.results("learning_rate_finder",
      "--limit 1000 --epochs 2 --seed 1 --quiet")
    assert.is_true(result.lr > 1e-3 and result.lr < 1, result.lr)
    assert.is_true(result.test_accuracy > 0.4, result.test_accuracy)
  end)
end)
