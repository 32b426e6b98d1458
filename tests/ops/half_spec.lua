-- f16 and bf16 where it takes size to see a fault: sums are made in f32, images go through in
-- slices, optimizers read and write whole chunks.

local pl = require "perilune"

--- The largest difference of a from b, relative to the largest element of b.
local function distance(a, b)
  return ((a:to("f32") - b):abs():max() / b:abs():max()):item()
end

--- f on x and its gradient, in f32 and in the half type.
local function both(dtype, x, f)
  local results = {}
  for _, d in ipairs{ "f32", dtype } do
    local leaf = x:to(dtype):to(d):detach():requires_grad_(true)
    local y = f(leaf)
    assert.equal(d, y.dtype)
    y:backward(y:detach())
    results[#results + 1] = { y:detach(), leaf.grad }
  end
  return results[1], results[2]
end

for dtype, precision in pairs{ bf16 = 2^-8, f16 = 2^-11 } do
  describe(dtype, function()
    local function agrees(x, f)
      local want, got = both(dtype, x, f)
      assert.is_true(distance(got[1], want[1]) < 2 * precision, "value")
      assert.equal(dtype, got[2].dtype)
      assert.is_true(distance(got[2], want[2]) < 6 * precision, "gradient")
    end

    it("adds up in f32", function()
      assert.equal(4096, pl.full({ 4096 }, 1, { dtype = dtype }):sum():item())
      assert.equal(2048, pl.full({ 2, 2048 }, 1, { dtype = dtype }):matmul(
        pl.full({ 2048, 1 }, 1, { dtype = dtype })):max():item())
    end)

    it("convolves more images than one slice holds", function()
      pl.manual_seed(4)
      local w = pl.randn(8, 16, 3, 3)
      agrees(pl.randn(40, 16, 24, 20), function(x)
        return x:conv2d(w:to(x.dtype), nil, { padding = 1 })
      end)
    end)

    it("multiplies more matrices than one slice holds, and rows by one matrix", function()
      pl.manual_seed(8)
      local x, square, batch = pl.randn(30, 40, 300), pl.randn(300, 200), pl.randn(30, 300, 200)
      local function times(y) return function(t) return t:matmul(y:to(t.dtype)) end end
      agrees(x, times(square))
      agrees(x, times(batch))
      agrees(x, times(batch:narrow(1, 1, 1)))
      agrees(x:select(1, 1), times(square))
      agrees(pl.randn(30, 300), times(batch))
      agrees(batch, function(t) return x:to(t.dtype):matmul(t) end)
    end)

    it("has the gradient of a kernel that many images share", function()
      pl.manual_seed(5)
      local x = pl.randn(40, 16, 24, 20)
      agrees(pl.randn(8, 16, 3, 3), function(w) return x:to(w.dtype):conv2d(w) end)
    end)

    it("pools images and gives their gradient back", function()
      pl.manual_seed(6)
      agrees(pl.randn(60, 16, 24, 20), function(x) return x:max_pool2d(2):avg_pool2d(3) end)
    end)

    it("trains in itself", function()
      for _, make in ipairs{ pl.optim.SGD, pl.optim.AdamW, pl.optim.RMSprop } do
        local p = pl.full({ 9000 }, 0.5, { dtype = dtype }):requires_grad_(true)
        local q = pl.full({ 9000 }, 0.5):requires_grad_(true)
        local a, b = make({ p }, { lr = 0.01 }), make({ q }, { lr = 0.01 })
        for _ = 1, 3 do
          p.grad, q.grad = pl.full({ 9000 }, 2, { dtype = dtype }), pl.full({ 9000 }, 2)
          a:step()
          b:step()
        end
        assert.is_true(distance(p:detach(), q:detach()) < 4 * precision)
        assert.is_true(p:eq(p[9000]):all():item())
      end
    end)
  end)
end
