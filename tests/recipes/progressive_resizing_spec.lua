local support = require "tests.recipes.support"

describe("recipes/progressive_resizing.lua", function()
  it("goes through three sizes", function()
    local path = os.tmpname()
    local result = support.results("progressive_resizing",
      "--limit 600 --epochs 2 --seed 1 --quiet --save-path " .. path)
    os.remove(path)
    assert.are.equal(3, #result.test_accuracies)
    assert.is_true(result.test_accuracy > 0.4, result.test_accuracy)
  end)
end)
