-- The detector, a few updates of it.
local support = require "tests.recipes.support"

-- Boxes set by hand, and what the recipe's own functions say of them.
local by_hand = [[
local function scene(...)
  local boxes = { ... }
  for i = #boxes + 1, 8 do boxes[i] = { -1, -1, -1, -1, -1, -1 } end
  return pl.tensor{ boxes }
end
local function precision(metric, truths, ...)
  metric:reset()
  metric:update(scene(...), pl.tensor{ truths })
  local value = metric:compute()
  metric:reset()
  return value
end
local function rows(best)
  local t = pl.zeros(49, 15)
  t:select(2, 1):fill_(-20)
  for _, cell in ipairs(best) do t[{ cell, 1 }]:fill_(20) end
  return t
end
function watch:on_training_run_start(trainer)
  local metric, model = trainer.eval_metrics[1], trainer.model
  local a, b = { 1, 0, 0, 10, 10 }, { 1, 20, 20, 30, 30 }
  seen.exact = precision(metric, { a, b }, { 1, 0, 0, 10, 10, 0.9 }, { 1, 20, 20, 30, 30, 0.8 })
  seen.other_class = precision(metric, { a }, { 2, 0, 0, 10, 10, 0.9 }, { 1, 0, 0, 10, 10, 0.8 })
  seen.twice = precision(metric, { a }, { 1, 0, 0, 10, 10, 0.9 }, { 1, 0, 0, 10, 10, 0.8 })
  seen.half_found = precision(metric, { a, b }, { 1, 0, 0, 10, 10, 0.9 })
  seen.late = precision(metric, { a, b }, { 1, 40, 40, 50, 50, 0.9 }, { 1, 0, 0, 10, 10, 0.8 },
    { 1, 20, 20, 30, 30, 0.7 })
  -- x in the fifth cell of the row, y in the third row of cells
  local losses = model:losses(rows{ 2 * 7 + 5 }, pl.tensor{ { { 1, 32, 16, 40, 24 } } })
  seen.object_loss = losses[1][2]:item()
  -- boxes of e^2 cells lie over each other, in neighbouring cells
  local overlapping = rows{ 24, 25 }
  overlapping:narrow(2, 4, 2):fill_(2)
  seen.kept = model:detect(overlapping):select(3, 1):gt(0):sum():item()
  local function scenes(epoch)
    return first_batch(trainer.train_dataset, epoch, trainer.collate_fn)[1]
  end
  seen.scenes_change = not same(scenes(1), scenes(2))
end
]]

describe("recipes/detector.lua", function()
  local small = "--epochs 3 --limit 300 --seed 1 --quiet "

  it("tracks its three losses by name and begins to find clothes", function()
    local result = support.results("detector", small)
    for _, name in ipairs { "object", "box", "class" } do
      local losses = result["train_" .. name]
      assert.are.equal(3, #losses)
      assert.is_true(losses[3] < losses[1], name)
    end
    assert.are.equal(3, #result.map_50)
    assert.is_true(result.map_50[3] > 0 and result.map_50[3] < 1)
  end)

  it("counts what is found, once each, and learns where it lies", function()
    local seen = support.observed("detector", "--epochs 1 --limit 32 --seed 1 --quiet", by_hand)
    assert.are.equal(1, seen.exact)
    assert.are.equal(1, seen.other_class)
    assert.are.equal(1, seen.twice)
    assert.are.equal(0.5, seen.half_found)
    assert.is_near(2 / 3, seen.late, 1e-9)
    assert.is_true(seen.object_loss < 1e-6, seen.object_loss)
    assert.are.equal(1, tonumber(seen.kept))
    assert.is_true(seen.scenes_change)
  end)

  it("draws the same scenes in every run", function()
    local short = "--epochs 1 --limit 64 --seed 2 --quiet --threads "
    local one = support.results("detector", short .. 1)
    local two = support.results("detector", short .. 2)
    assert.are.same(one.train_object, two.train_object)
    assert.are.same(one.train_box, two.train_box)
  end)
end)
