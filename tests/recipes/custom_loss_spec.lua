local support = require "tests.recipes.support"

describe("recipes/custom_loss.lua", function()
  local small = "--limit 1000 --epochs 2 --seed 1 --quiet "

  it("learns with the focal loss, whose values are below cross-entropy's", function()
    local focal = support.results("custom_loss", small)
    local plain = support.results("custom_loss", small .. "--gamma 0")
    assert.is_true(focal.test_accuracy > 0.4, focal.test_accuracy)
    assert.is_true(focal.train_loss < 0.8 * plain.train_loss)
    assert.is_true(focal.test_loss > plain.test_loss)
  end)
end)
