local support = require "tests.recipes.support"

-- Of each run: its classes, and the weights of body and head before and after.
local weights = [[
local function now(model)
  return { body = model.backbone[1].weight:detach():clone():keep(),
    head = model.head.weight:detach():clone():keep() }
end
local before, after = {}, {}
seen.classes, seen.samples = {}, {}
function watch:on_training_run_start(trainer)
  local i, set, classes = #trainers, trainer.train_dataset, {}
  for k = 1, set:size() do classes[tonumber(select(2, set:get(k)))] = true end
  seen.classes[i] = {}
  for class = 1, 10 do if classes[class] then table.insert(seen.classes[i], class) end end
  seen.samples[i] = set:size()
  before[i] = now(trainer.model)
end
function watch:on_training_run_end(trainer)
  after[#trainers] = now(trainer.model)
  if #trainers < 3 then return end
  seen.body_is_pretrained = same(before[2].body, after[1].body)
  seen.head_is_pretrained = same(before[2].head, after[1].head)
  seen.scratch_is_pretrained = same(before[3].body, after[1].body)
    or same(before[3].body, after[2].body)
end
]]

describe("recipes/finetune.lua", function()
  it("learns new classes from few images, with a new head on what was learnt before", function()
    local seen, result = support.observed("finetune",
      "--limit 600 --epochs 5 --pretrain-epochs 1 --images 10 --seed 1 --quiet", weights)
    assert.is_true(result.test_accuracy > 0.4, result.test_accuracy)
    assert.is_true(result.from_scratch > 0.4, result.from_scratch)
    assert.are.same({ { 1, 2, 3, 6, 8, 9 }, { 4, 5, 7, 10 }, { 4, 5, 7, 10 } }, seen.classes)
    assert.are.same({ 600, 40, 40 }, seen.samples)
    assert.is_true(seen.body_is_pretrained)
    assert.is_false(seen.head_is_pretrained)
    assert.is_false(seen.scratch_is_pretrained)
  end)
end)
