local support = require "tests.recipes.support"

describe("recipes/metrics_in_callback.lua", function()
  it("records the mean of ten scores after each epoch", function()
    local result = support.results("metrics_in_callback",
      "--limit 1000 --epochs 2 --seed 1 --quiet")
    assert.are.equal(2, #result.macro_f1)
    assert.are.equal(10, #result.f1_scores)
    local sum = 0
    for _, score in ipairs(result.f1_scores) do
      assert.is_true(score >= 0 and score <= 1)
      sum = sum + score
    end
    assert.is_true(math.abs(sum / 10 - result.macro_f1[2]) < 1e-12)
    assert.is_true(result.macro_f1[2] > 0.3)
  end)

  it("shows the score in the log", function()
    local code, out, err = support.run("metrics_in_callback", "--limit 500 --epochs 1 --seed 1")
    assert.are.equal(0, code, err)
    assert.truthy(out:find("eval_macro_f1: 0%.%d+"), out)
    assert.truthy(out:find("Ankle boot   F1 0%.%d+"), out)
  end)
end)
