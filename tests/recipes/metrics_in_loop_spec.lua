local support = require "tests.recipes.support"

describe("recipes/metrics_in_loop.lua", function()
  it("measures accuracy and confidence", function()
    local result = support.results("metrics_in_loop", "--limit 1000 --epochs 2 --seed 1 --quiet")
    assert.is_true(result.test_accuracy > 0.4)
    assert.is_true(result.confidence > 0.1 and result.confidence < 1)
    assert.is_true(result.confidence ~= result.test_accuracy)
  end)

  it("measures each evaluation for itself, of a model that does not learn then", function()
    local seen, result = support.observed("metrics_in_loop",
      "--limit 200 --epochs 2 --seed 1 --quiet", [[
      local sum, count
      function watch:on_eval_epoch_start() sum, count = 0, 0 end
      function watch:on_eval_step_end(trainer, batch, output)
        sum = sum + output.model_outputs:softmax(-1):max(-1):sum():item()
        count = count + output.batch_size
        seen.learns = trainer.model.training
      end
      function watch:on_eval_epoch_end() seen.confidence = sum / count end
    ]])
    assert.is_near(seen.confidence, result.confidence, 1e-6)
    assert.is_false(seen.learns)
  end)
end)
