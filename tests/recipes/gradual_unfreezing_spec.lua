local support = require "tests.recipes.support"

-- What learns in each run after the first, which is the pretraining.
local parts = [[
seen.trainable, seen.rates, seen.moved = {}, {}, {}
local before, head
local names = { "stem", "body", "neck", "head" }
local function weight(model, name)
  for _, p in ipairs(model[name]:parameters()) do
    if #p.shape > 1 then return p:detach():clone():keep() end
  end
end
function watch:on_training_run_start(trainer)
  local model = trainer.model
  before = {}
  for _, name in ipairs(names) do before[name] = weight(model, name) end
  if #trainers == 1 then return end
  if not head then return end
  local rates = {}
  for i, group in ipairs(trainer.optimizer.param_groups) do rates[i] = group.lr end
  table.insert(seen.rates, rates)
  if #seen.rates == 1 then seen.head_is_new = not same(head, before.head) end
end
function watch:on_training_run_end(trainer)
  local model, moved = trainer.model, {}
  if #trainers == 1 then
    head = weight(model, "head")
    return
  end
  for _, name in ipairs(names) do
    if not same(before[name], weight(model, name)) then moved[#moved + 1] = name end
  end
  table.insert(seen.moved, table.concat(moved, " "))
  seen.evaluations = #trainer.run_history:get_metric_values "eval_accuracy"
end
]]

describe("recipes/gradual_unfreezing.lua", function()
  it("unfreezes three parts after the head, and becomes better", function()
    local seen, result = support.observed("gradual_unfreezing",
      "--limit 600 --epochs 2 --pretrain-epochs 1 --images 20 --seed 1 --quiet", parts)
    assert.are.equal(4, #result.test_accuracies)
    assert.is_true(result.test_accuracies[4] > result.test_accuracies[1])
    assert.are.equal(result.test_accuracy, result.test_accuracies[4])
    assert.are.same({ "head", "neck head", "body neck head", "stem body neck head" }, seen.moved)
    assert.is_true(seen.head_is_new)
    for run, rates in ipairs(seen.rates) do
      assert.are.equal(run, #rates)
      for i = 2, run do assert.is_near(rates[i - 1] / 3, rates[i], 1e-9) end
    end
    assert.are.equal(4 * 2, seen.evaluations)
  end)
end)
