local support = require "tests.recipes.support"

describe("recipes/finetune.lua", function()
  it("learns new classes with a new head", function()
    local result = support.results("finetune",
      "--limit 600 --epochs 5 --pretrain-epochs 1 --images 10 --seed 1 --quiet")
    assert.is_true(result.test_accuracy > 0.4, result.test_accuracy)
    assert.is_true(result.from_scratch > 0.4, result.from_scratch)
  end)
end)
