-- Picking and placing: t[key], masks, index tensors, sorting.

local pl = require "perilune"

local function counting() return pl.arange(1, 6):float():reshape(2, 3) end
local function i64(values) return pl.tensor(values, { dtype = "i64" }) end

local function message_of(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return tostring(err.message or err)
end

describe("t[key]", function()
  it("picks by masks, of all dimensions or the first ones", function()
    local x = counting()
    assert.same({ 4, 5, 6 }, x[x:gt(3)]:totable())
    assert.same({ 4, 5, 6 }, x:masked_select(x:gt(3)):totable())
    assert.same({ { 4, 5, 6 } }, x[pl.tensor{ false, true }]:totable())
    assert.same({ { 1, 3 }, { 4, 6 } }, x[{ {}, pl.tensor{ true, false, true } }]:totable())
    assert.same({ 0 }, x[x:gt(9)].shape)
    local leaf = x:clone():requires_grad_()
    leaf[leaf:gt(4)]:sum():backward()
    assert.same({ { 0, 0, 0 }, { 0, 1, 1 } }, leaf.grad:totable())
    assert.equal("index: a mask of shape 3 does not fit a tensor of shape 2x3",
      message_of(function() return x[pl.tensor{ true, true, true }] end))
  end)

  it("refuses other keys in one sentence", function()
    local x = counting()
    for _, key in ipairs{ true, { true }, { 1, print } } do
      assert.truthy(message_of(function() return x[key] end)
        :find("index: t[key] takes a position, an index tensor, a mask or a list of them", 1, true))
    end
  end)

  it("writes through masks", function()
    local x = counting()
    x[x:gt(4)] = 0
    assert.same({ { 1, 2, 3 }, { 4, 0, 0 } }, x:totable())
    x[x:eq(0)] = pl.tensor{ 7, 8 }
    assert.same({ { 1, 2, 3 }, { 4, 7, 8 } }, x:totable())
    x[pl.tensor{ true, false }] = -1
    assert.same({ { -1, -1, -1 }, { 4, 7, 8 } }, x:totable())
    x[{ pl.tensor{ false, true }, 1 }] = 9
    assert.same({ { -1, -1, -1 }, { 9, 7, 8 } }, x:totable())
    x:masked_fill_(x:lt(0), 5)
    assert.same({ { 5, 5, 5 }, { 9, 7, 8 } }, x:totable())
  end)

  it("writes through index tensors, the last write winning", function()
    local x = counting()
    x[i64{ 2 }] = 0
    assert.same({ { 1, 2, 3 }, { 0, 0, 0 } }, x:totable())
    x[{ 1, i64{ 1, 3 } }] = pl.tensor{ 8, 9 }
    assert.same({ { 8, 2, 9 }, { 0, 0, 0 } }, x:totable())
    x[{ {}, i64{ 3, 1, 1 } }] = pl.tensor{ { 1, 2, 3 }, { 4, 5, 6 } }
    assert.same({ { 3, 2, 1 }, { 6, 0, 4 } }, x:totable())
    x[i64{ 1, 2 }] = pl.tensor{ 1, 2, 3 }
    assert.same({ { 1, 2, 3 }, { 1, 2, 3 } }, x:totable())
  end)
end)

describe("Index tensors", function()
  it("may follow the dimension, as in PyTorch", function()
    local x, index = counting(), i64{ { 1, 3 }, { 2, 2 } }
    assert.same({ { 1, 3 }, { 5, 5 } }, x:gather(2, index):totable())
    assert.same({ { 1, 3 }, { 5, 5 } }, x:gather(index, 2):totable())
    assert.same({ { 2 }, { 5 } }, x:index_select(2, i64{ 2 }):totable())
    assert.same({ { 4, 5, 6 }, { 1, 2, 3 } }, x:index_select(1, { 2, 1 }):totable())
    assert.same({ { 2, 3, 4 }, { 4, 5, 6 } }, x:index_add(1, i64{ 1 }, pl.ones(1, 3)):totable())
    assert.same({ { 2, 3, 4 }, { 4, 5, 6 } }, x:index_add(pl.ones(1, 3), i64{ 1 }, 1):totable())
    assert.same({ { 1, 4, 3 }, { 4, 5, 6 } }, x:scatter_add(2, i64{ { 2 } }, pl.full({ 1, 1 }, 2))
      :totable())
  end)

  it("come from what is not 0", function()
    assert.same({ { 1, 2 }, { 2, 1 } }, pl.tensor{ { 0, 3 }, { 1, 0 } }:nonzero():totable())
    assert.same({ 0, 2 }, pl.zeros(2, 2):nonzero().shape)
    assert.equal("i64", pl.ones(2):nonzero().dtype)
  end)
end)

describe("Sorting", function()
  it("gives values and positions along a dimension", function()
    local x = pl.tensor{ { 3, 1, 2 }, { 0 / 0, 5, 4 } }
    local values, positions = x[1]:sort()
    assert.same({ 1, 2, 3 }, values:totable())
    assert.same({ 2, 3, 1 }, positions:totable())
    assert.same({ { 2, 3, 1 }, { 3, 2, 1 } }, x:argsort():totable())
    assert.same({ { 1, 3, 2 }, { 1, 2, 3 } }, x:argsort(2, true):totable())
  end)

  it("gives the largest and the smallest", function()
    local x = pl.tensor{ { 3, 1, 2 }, { 7, 5, 9 } }
    local values, positions = x:topk(2)
    assert.same({ { 3, 2 }, { 9, 7 } }, values:totable())
    assert.same({ { 1, 3 }, { 3, 1 } }, positions:totable())
    assert.same({ { 3, 1, 2 } }, x:topk(1, 1, false):totable())
    assert.same({ { 1 }, { 5 } }, x:topk(1, { largest = false }):totable())
    assert.equal("topk: k is 4, but dimension -1 has 3 elements", message_of(x.topk, x, 4))
    local leaf = x:clone():requires_grad_()
    leaf:topk(1):sum():backward()
    assert.same({ { 1, 0, 0 }, { 0, 0, 1 } }, leaf.grad:totable())
  end)
end)
