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

  it("scores what it is shown, and each evaluation for itself", function()
    local seen = support.observed("metrics_in_callback", "--limit 100 --epochs 1 --seed 1 --quiet",
      [[
      function watch:on_training_run_start(trainer)
        for _, callback in ipairs(trainer.callback_handler.callbacks) do
          if callback.confusion then
            -- All wrong; then of the first class two hits and a miss, of the second one hit.
            for _, predicted in ipairs{ { 5, 5, 5, 5 }, { 1, 1, 2, 2 } } do
              callback:on_eval_epoch_start(trainer)
              local outputs = pl.zeros(4, 10)
              for i, class in ipairs(predicted) do outputs[{ i, class }]:fill_(1) end
              callback:on_eval_step_end(trainer, { nil, pl.tensor({ 1, 1, 1, 2 },
                { dtype = "i64" }) }, { model_outputs = outputs })
              callback:on_eval_epoch_end(trainer)
              seen.scores = callback.scores
            end
          end
        end
      end
    ]])
    assert.is_near(2 * 2 / (3 + 2), seen.scores[1], 1e-12)
    assert.is_near(2 * 1 / (1 + 2), seen.scores[2], 1e-12)
    assert.are.equal(0, seen.scores[3])
  end)

  it("shows the score in the log", function()
    local code, out, err = support.run("metrics_in_callback", "--limit 500 --epochs 1 --seed 1")
    assert.are.equal(0, code, err)
    assert.truthy(out:find("eval_macro_f1: 0%.%d+"), out)
    assert.truthy(out:find("Ankle boot   F1 0%.%d+"), out)
  end)
end)
