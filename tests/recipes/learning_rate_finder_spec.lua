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

  it("tries the rates it is given, and trains up to the one it found", function()
    local seen, result = support.observed("learning_rate_finder",
      "--limit 1000 --epochs 2 --seed 1 --quiet --min-lr 0.001 --max-lr 0.002", [[
      seen.highest = 0
      function watch:on_optimizer_step_end(trainer)
        seen.highest = math.max(seen.highest, trainer.optimizer.param_groups[1].lr)
      end
    ]])
    assert.is_true(result.lr >= 0.001 and result.lr <= 0.002, result.lr)
    assert.is_true(seen.highest > 0.9 * result.lr and seen.highest <= result.lr * (1 + 1e-9))
  end)
end)
