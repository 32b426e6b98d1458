-- pl.einsum against the ops it stands for.

local pl = require "perilune"

local a, b = pl.arange(1, 6):float():reshape(2, 3), pl.arange(1, 12):float():reshape(3, 4)
local batch = pl.arange(1, 12):float():reshape(2, 2, 3)

local function same(expected, t)
  assert.same(expected.shape, t.shape)
  assert.same(expected:totable(), t:totable())
end

local function message_of(...)
  local ok, e = pcall(pl.einsum, ...)
  assert.is_false(ok)
  return e.message
end

describe("einsum", function()
  it("is matrix products, batched and with vectors", function()
    same(a:matmul(b), pl.einsum("ij,jk->ik", a, b))
    same(a:matmul(b):t(), pl.einsum("ij,jk->ki", a, b))
    same(a:matmul(b), pl.einsum("ij, jk", { a, b }))
    same(batch:matmul(b), pl.einsum("bij,jk->bik", batch, b))
    same(batch:matmul(batch:transpose(2, 3)), pl.einsum("bij,bkj->bik", batch, batch))
    same(a:mv(b[{ {}, 1 }]), pl.einsum("ij,j->i", a, b[{ {}, 1 }]))
    same(a[1]:outer(a[2]), pl.einsum("i,j->ij", a[1], a[2]))
    same(a[1]:dot(a[2]), pl.einsum("i,i->", a[1], a[2]))
  end)

  it("is sums, permutations and products of elements", function()
    same(a:sum(), pl.einsum("ij->", a))
    same(a:sum(1), pl.einsum("ij->j", a))
    same(a:t(), pl.einsum("ij->ji", a))
    same(a * a, pl.einsum("ij,ij->ij", a, a))
    same((a * a):sum(2), pl.einsum("ij,ij->i", a, a))
    same(a:sum(1):matmul(b), pl.einsum("ij,jk->k", a, b))
  end)

  it("contracts several operands", function()
    same(a:matmul(b):matmul(b:t()), pl.einsum("ij,jk,lk->il", a, b, b))
    same((a:matmul(b) * 2):sum(), pl.einsum("ij,jk,->", a, b, pl.tensor(2)))
  end)

  it("has gradients", function()
    local x, y = a:clone():requires_grad_(), a:clone():requires_grad_()
    pl.einsum("ij,jk->ik", x, b):square():sum():backward()
    y:matmul(b):square():sum():backward()
    same(y.grad, x.grad)
  end)

  it("says what is wrong with equation and operands", function()
    assert.equal("einsum: 'ij,jk->ik' names 2 operands, got 1", message_of("ij,jk->ik", a))
    assert.equal("einsum: operand 1 has 2 dimensions, 'ijk' names 3", message_of("ijk->i", a))
    assert.equal("einsum: 'j' is 2 in operand 2, and 3 before", message_of("ij,jk->ik", a, a))
    assert.equal("einsum: 'ii' has 'i' twice; take a diagonal first",
      message_of("ii->i", pl.eye(2)))
    assert.equal("einsum: no operand of 'ij->k' has 'k'", message_of("ij->k", a))
    assert.equal("einsum: 'i1->i' is no equation of letters, commas and one ->",
      message_of("i1->i", a))
    assert.equal("einsum: operand 2 must be a tensor, got 3", message_of("i,j->ij", a[1], 3))
  end)
end)
