-- The two models, a few updates of each.
local support = require "tests.recipes.support"

describe("recipes/gan.lua", function()
  it("trains both models and scores what the generator makes", function()
    local result = support.results("gan", "--epochs 2 --limit 500 --batch-size 10 --seed 1 --quiet")
    assert.is_true(result.score >= 1 and result.score < result.real_score)
    assert.is_true(result.real_score > 1.5 and result.real_score <= 10)
    assert.are.equal(2, #result.discriminator_loss)
    assert.are.equal(2, #result.generator_loss)
    assert.is_true(result.discriminator_loss[1] < math.log(2))
    assert.is_true(result.generator_loss[1] > math.log(2))
  end)
end)
