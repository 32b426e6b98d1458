local support = require "tests.recipes.support"

-- The sizes of what is learnt from and tested on, and what each size hands on.
local stages = [[
seen.sizes, seen.tests, seen.best = {}, {}, {}
function watch:on_train_step_start(trainer, batch)
  if trainer.run_history.current_epoch > 0 then self.size = batch[1].shape[4] end
end
function watch:on_training_run_end(trainer)
  table.insert(seen.sizes, self.size)
  trainer:wait_for_saves()
  local saved = pl.safetensors.load(arg.saved)
  table.insert(seen.best, same(saved["0.weight"], trainer.model[1].weight))
  seen.epochs = #trainer.run_history:get_metric_values "eval_accuracy"
end
function watch:on_eval_step_start(_, batch) self.tested = batch[1].shape[4] end
function watch:on_evaluation_run_end() table.insert(seen.tests, self.tested) end
]]

local function observed(arguments)
  local path = os.tmpname()
  local seen, result = support.observed("progressive_resizing",
    ("--seed 1 --quiet --save-path %s %s"):format(path, arguments),
    ("arg.saved = %q\n%s"):format(path, stages))
  os.remove(path)
  return seen, result
end

describe("recipes/progressive_resizing.lua", function()
  it("goes through three sizes, and each hands its best weights on", function()
    local seen, result = observed("--limit 600 --epochs 2")
    assert.are.equal(3, #result.test_accuracies)
    assert.is_true(result.test_accuracy > 0.4, result.test_accuracy)
    assert.are.same({ 12, 20, 28 }, seen.sizes)
    assert.are.same({ 28, 28, 28 }, seen.tests)
    assert.are.same({ true, true, true }, seen.best)
  end)

  it("leaves a size when the accuracy no longer grows", function()
    local seen = observed("--limit 64 --epochs 20 --lr 0")
    assert.is_true(seen.epochs < 3 * 20, seen.epochs)
  end)
end)
