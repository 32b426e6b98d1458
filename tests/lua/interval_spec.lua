local pl = require "perilune"

describe("Interval", function()
  it("is due at every n-th of its unit only", function()
    local every = pl.Interval{ updates = 3 }
    local due = {}
    for i = 1, 7 do due[i] = every:due("updates", i) end
    assert.are.same({ false, false, true, false, false, true, false }, due)
    assert.is_false(every:due("epochs", 3))
    assert.is_true(pl.Interval{ epochs = 1 }:due("epochs", 5))
    assert.is_true(pl.Interval(pl.Interval{ batches = 2 }):due("batches", 4))
  end)

  it("counts seconds at updates", function()
    local every = pl.Interval{ seconds = 0.02 }
    assert.is_false(every:due("updates", 1))
    assert.is_false(every:due("epochs", 1))
    local t = pl.engine.clock()
    while pl.engine.clock() - t < 0.021 do end
    assert.is_true(every:due("updates", 2))
    assert.is_false(every:due("updates", 3))
  end)

  it("says what it takes", function()
    for _, case in ipairs{
      { 5, "must be { updates = n }" }, { {}, "needs one of" }, { { update = 1 }, "updates" },
      { { updates = 0 }, "above 0" }, { { updates = 1, epochs = 1 }, "both updates and epochs" },
      { { epochs = 1.5 }, "must be an integer" },
    } do
      local ok, err = pcall(pl.Interval, case[1], "X: every")
      assert.is_false(ok)
      assert.are.equal("argument", err.kind)
      assert.truthy(err.message:find(case[2], 1, true), err.message)
      assert.truthy(err.message:find("X: every", 1, true))
    end
  end)
end)
