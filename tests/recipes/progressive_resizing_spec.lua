local support = require "tests.recipes.support"

-- The sizes of what is learnt from and tested on.
local stages = [[
seen.sizes, seen.tests = {}, {}
function watch:on_train_step_start(_, batch) self.size = batch[1].shape[4] end
function watch:on_training_run_end()
  table.insert(seen.sizes, self.size)
end
function watch:on_eval_step_start(_, batch) self.tested = batch[1].shape[4] end
function watch:on_evaluation_run_end() table.insert(seen.tests, self.tested) end
]]

-- Each size as if its first epoch had been the best: how many it has, and which weights it leaves.
local decline = [[
seen.epochs, seen.best = {}, {}
local count, first
function watch:on_training_run_start() count = 0 end
function watch:on_eval_epoch_end(trainer)
  count = count + 1
  if count == 1 then first = trainer.model[1].weight:detach():clone():keep() end
  trainer.run_history:update_metric("eval_accuracy", 1 / count)
end
function watch:on_training_run_end(trainer)
  table.insert(seen.epochs, count)
  table.insert(seen.best, same(first, trainer.model[1].weight))
end
]]

local function observed(arguments, code)
  local path = os.tmpname()
  local seen, result = support.observed("progressive_resizing",
    ("--seed 1 --quiet --save-path %s %s"):format(path, arguments), code)
  os.remove(path)
  return seen, result
end

describe("recipes/progressive_resizing.lua", function()
  it("goes through three sizes, and is tested on the last", function()
    local seen, result = observed("--limit 600 --epochs 2", stages)
    assert.are.equal(3, #result.test_accuracies)
    assert.is_true(result.test_accuracy > 0.4, result.test_accuracy)
    assert.are.same({ 12, 20, 28 }, seen.sizes)
    assert.are.same({ 28, 28, 28 }, seen.tests)
  end)

  it("leaves a size when the accuracy no longer grows, with the best weights it had", function()
    local seen = observed("--limit 64 --epochs 5", decline)
    assert.are.same({ 2, 2, 2 }, seen.epochs)
    assert.are.same({ true, true, true }, seen.best)
  end)
end)
