-- The detector, a few updates of it.
local support = require "tests.recipes.support"

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

  it("draws the same scenes in every run", function()
    local short = "--epochs 1 --limit 64 --seed 2 --quiet --threads "
    local one = support.results("detector", short .. 1)
    local two = support.results("detector", short .. 2)
    assert.are.same(one.train_object, two.train_object)
    assert.are.same(one.train_box, two.train_box)
  end)
end)
