local support = require "tests.recipes.support"

local evaluations = [[
function watch:on_training_run_end(trainer)
  seen.accuracies = trainer.run_history:get_metric_values "eval_accuracy"
end
]]

describe("recipes/custom_event.lua", function()
  it("tells of each record and of nothing else", function()
    local seen, result = support.observed("custom_event",
      "--limit 300 --epochs 6 --eval-every 1 --seed 1 --quiet", evaluations)
    local records = {}
    for _, accuracy in ipairs(seen.accuracies) do
      if accuracy > (records[#records] or 0) then records[#records + 1] = accuracy end
    end
    assert.are.same(records, result.records)
    assert.is_true(#records >= 2 and #records < #seen.accuracies)
    assert.are.equal(result.best_accuracy, records[#records])
  end)
end)
