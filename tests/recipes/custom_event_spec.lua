local support = require "tests.recipes.support"

describe("recipes/custom_event.lua", function()
  it("tells of each record, which rise", function()
    local result = support.results("custom_event",
      "--limit 1000 --epochs 2 --eval-every 4 --seed 1 --quiet")
    assert.is_true(#result.records >= 2)
    for i = 2, #result.records do
      assert.is_true(result.records[i] > result.records[i - 1])
    end
    assert.are.equal(result.best_accuracy, result.records[#result.records])
  end)
end)
