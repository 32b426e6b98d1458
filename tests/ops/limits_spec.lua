-- Input that no test of a single op thinks of: sizes whose products overflow, no channels, eight
-- dimensions, numbers that no integer holds. Each works as in PyTorch or is refused in a sentence.

local pl = require "perilune"
local fails = require "tests.data.fails"

local HUGE = 2 ^ 53

local function f32(...) return pl.zeros(...) end

describe("sizes", function()
  it("narrow refuses steps that overflow", function()
    local x = f32(4)
    fails("shape", "narrow: 2049 positions from 1", x.narrow, x, 1, 1, 2049, HUGE)
    fails("shape", "narrow: ", x.narrow, x, 1, 1, HUGE, HUGE)
    assert.same({ 0 }, x:narrow(1, 4, 1, HUGE):totable())
  end)

  it("reshape refuses products that overflow, and a -1 that could be anything", function()
    local x = f32(0)
    fails("shape", "reshape: the sizes are too large", x.reshape, x, 0, HUGE, HUGE)
    fails("shape", "%-1 could be anything", x.reshape, x, 0, -1)
  end)

  it("cat refuses sums that overflow and lists beyond its limit", function()
    local wide, many = f32(1, { dtype = "u8" }):expand(HUGE):unsqueeze(1), {}
    for i = 1, 2048 do many[i] = wide end
    fails("shape", "cat: the result would be too large along axis 2", pl.cat, many, 2)
    local one = f32(1)
    for i = 1, 70000 do many[i] = one end
    fails("argument", "cat: 70000 tensors given, at most 65536", pl.cat, many, 1)
    for i = 70000, 65537, -1 do many[i] = nil end
    assert.equal(65536, pl.cat(many, 1):numel())
  end)

  it("pad refuses more than a position can say", function()
    local x = f32(4)
    fails("shape", "pad: padding of dimension 1 must lie in", x.pad, x, { padding = { HUGE, 0 } })
    fails("shape", "pad: padding of dimension 1", x.pad, x, { padding = { -HUGE, HUGE } })
  end)

  it("a ninth dimension is refused", function()
    local x = f32(1, 1, 1, 1, 1, 1, 1, 1)
    fails("shape", "unsqueeze: the input has 8 dimensions already", x.unsqueeze, x, 1)
    local index = x:to "i64"
    fails("shape", "one_hot: index has 8 dimensions", index.one_hot, index, 3)
  end)

  it("many rows of nothing print at once", function()
    assert.equal("tensor([], size = {0})", tostring(f32(0):to "cpu"))
    assert.equal("tensor([], size = {1099511627776, 0})", tostring(f32(2 ^ 40, 0):to "cpu"))
  end)

  it("a scalar has one line: axis 1, or -1", function()
    local x = pl.scalar(3)
    for _, name in ipairs{ "softmax", "log_softmax", "cumsum" } do
      assert.equal(x[name](x, 1):item(), x[name](x, -1):item())
      fails("shape", name .. ": axis %-2 does not exist: the input is a scalar", x[name], x, -2)
      fails("shape", name .. ": axis 2 does not exist", x[name], x, 2)
    end
  end)

  it("no channels form no groups", function()
    local x = f32(3, 0, 2)
    fails("argument", "group_norm: 0 channels do not form 2 groups", x.group_norm, x, nil, nil, 2)
    assert.same({ 3, 0, 2 }, x:group_norm(nil, nil, 1).shape)
  end)

  it("windows beyond 32 bits are refused", function()
    local x, w = f32(1, 1, 1, 1), f32(1, 1, 1, 1)
    fails("argument", "stride must lie in 1..2147483647", x.conv2d, x, w, nil, { stride = HUGE })
    fails("argument", "groups must lie in", x.conv2d, x, w, nil, { groups = HUGE })
    local tall = w:expand(1, 1, 2 ^ 40, 1)
    fails("shape", "height and width are 2147483647 at most", x.conv2d, x, tall)
    fails("shape", "height and width", x.conv2d, tall, w)
  end)
end)

describe("convolutions", function()
  it("of no channels give the bias, as in PyTorch", function()
    local bias = pl.tensor{ 1, 2 }
    local y = f32(2, 0, 5, 4):conv2d(f32(2, 0, 3, 3), bias)
    assert.same({ 2, 2, 3, 2 }, y.shape)
    assert.same({ { 1, 1 }, { 1, 1 }, { 1, 1 } }, y:totable()[2][1])
    assert.equal(36, y:sum():item())
    local t = f32(1, 0, 2, 2):conv_transpose2d(f32(0, 2, 3, 3), bias)
    assert.same({ 1, 2, 4, 4 }, t.shape)
    assert.equal(48, t:sum():item())
  end)

  it("transposed with a stride far beyond the result end at once", function()
    local x, w = pl.full({ 1, 1, 1, 1 }, 3), pl.full({ 1, 1, 2, 2 }, 2)
    local y = x:conv_transpose2d(w, nil, { stride = 2 ^ 31 - 1 })
    assert.same({ { { { 6, 6 }, { 6, 6 } } } }, y:totable())
  end)
end)

describe("numbers beside integers", function()
  it("that no integer holds make the result f32", function()
    for _, value in ipairs{ math.huge, -math.huge, 1e30, 2 ^ 63 } do
      local y = pl.tensor({ 1, 2 }, { dtype = "i64" }):add(value)
      assert.equal("f32", y.dtype)
      assert.equal(value, y:totable()[1] > 1e29 and value or y:totable()[1])
    end
  end)

  it("are written into integers as a cast would", function()
    local values = pl.tensor({ 0 / 0, 1e30, -1e30, 2.9 }, { dtype = "f64" }):to("i64")
    for i, value in ipairs{ 0 / 0, 1e30, -1e30, 2.9 } do
      local t = pl.zeros(1, { dtype = "i64" }):copy_(value)
      assert.is_true(t:eq(values:narrow(1, i, 1)):item())
    end
  end)

  it("keep the sign of zero", function()
    assert.equal(-math.huge, 1 / pl.ones(1):mul(-0.0):item())
    assert.equal(math.huge, 1 / pl.ones(1):mul(0):item())
    assert.equal(math.huge, 1 / pl.zeros(1):item())
  end)
end)

describe("a view of a detached view", function()
  -- v is updated by p; w, a view of v made before, must hand its gradient to its own part of p.
  local function part_of(v, look)
    local p, w = pl.zeros(v.shape):requires_grad_(), look(v)
    v:add_(p)
    w:sum():backward()
    return p.grad:totable()
  end

  it("gives its gradient where it looks", function()
    local x = pl.zeros(4, 4)
    local function first(v) return v:select(1, 1) end
    local expected = { { 1, 1, 1, 1 }, { 0, 0, 0, 0 } }
    assert.same(expected, part_of(x:narrow(1, 2, 2):detach(), first))
    assert.same(expected, part_of(x:narrow(1, 3, 2):detach(), first))
    assert.same(expected, part_of(x:narrow(1, 2, 2):keep(), first))
  end)

  it("through transposes, steps and reshapes", function()
    local x = pl.zeros(3, 4, 2)
    local turned = x:transpose(1, 3):detach()
    assert.same({ { { 0, 0, 0 }, { 0, 0, 0 }, { 0, 0, 0 }, { 0, 0, 0 } },
      { { 0, 0, 0 }, { 0, 1, 1 }, { 0, 0, 0 }, { 0, 1, 1 } } },
      part_of(turned, function(v) return v:select(1, 2):narrow(1, 2, 2, 2):narrow(2, 2, 2) end))
    local cut = x:narrow(2, 2, 2):detach()
    assert.same({ { { 0, 0 }, { 0, 0 } }, { { 1, 1 }, { 1, 0 } }, { { 0, 0 }, { 0, 0 } } },
      part_of(cut, function(v) return v:select(1, 2):reshape(4):narrow(1, 1, 3) end))
  end)

  it("written through hands on the gradient of its part", function()
    local x, p = pl.zeros(4, 4), pl.zeros(4):requires_grad_()
    local v = x:narrow(1, 2, 2):detach()
    v:select(1, 1):add_(p)
    v:mul(pl.tensor{ { 1, 2, 3, 4 }, { 5, 6, 7, 8 } }):sum():backward()
    assert.same({ 1, 2, 3, 4 }, p.grad:totable())
  end)

  it("refuses what strides cannot say", function()
    local v = pl.zeros(2, 3):transpose(1, 2):detach()
    local flat = v:transpose(1, 2):reshape(6):narrow(1, 2, 3)
    fails("argument", "a view of a detached view", flat.add_, flat, pl.zeros(3):requires_grad_())
    local wide = pl.zeros(1, 3):expand(2, 3):detach()
    local row = wide:select(1, 1)
    fails("argument", "a view of a detached view", row.add_, row, pl.zeros(3):requires_grad_())
  end)
end)

describe("a gradient", function()
  it("is asked for with options that exist", function()
    local loss = pl.ones(1):requires_grad_():mul(2):sum()
    fails("argument", "backward: .*3", loss.backward, loss, 3)
    fails("argument", "retain_graph", loss.backward, loss, { retain_grap = true })
    loss:backward{ retain_graph = true }
    loss:backward()
  end)

  it("of a function in Lua comes in the dtype of its input", function()
    local Wide = pl.class("Wide", pl.Function)
    function Wide:forward(_, x) return x:mul(2) end
    function Wide:backward(_, grad) return grad:to("f64"):mul(2) end
    local x = pl.ones(3):requires_grad_()
    Wide()(x):sum():backward()
    assert.equal("f32", x.grad.dtype)
    assert.same({ 2, 2, 2 }, x.grad:totable())
  end)

  it("that needs a changed value says so, fused ops included", function()
    local weight = pl.ones(3):requires_grad_()
    local x = pl.randn(4, 3):requires_grad_():mul(1)
    local y = x:batch_norm(weight, pl.zeros(3), nil, nil, { training = true })
    x:add_(1)
    local loss = y:sum()
    fails("argument", "backward of batch_norm: its x was changed in place by add", loss.backward,
      loss)
  end)
end)
