-- Tensor methods made of other ops: values as PyTorch gives them, gradients, errors.

local pl = require "perilune"
local codec = require "perilune.state.codec"

local function counting() return pl.arange(1, 6):float():reshape(2, 3) end

local function message_of(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return tostring(err.message or err)
end

local function i64(values) return pl.tensor(values, { dtype = "i64" }) end

--- The gradient of f(x):sum() at x.
local function gradient(f, x)
  x = x:clone():requires_grad_()
  f(x):sum():backward()
  return x.grad:totable()
end

describe("Shaping", function()
  it("splits and chunks into views", function()
    local x = counting()
    local parts = x:split(2, 2)
    assert.same({ { 1, 2 }, { 4, 5 } }, parts[1]:totable())
    assert.same({ { 3 }, { 6 } }, parts[2]:totable())
    assert.same({ { 2, 3 }, { 5, 6 } }, x:split({ 1, 2 }, 2)[2]:totable())
    assert.equal(3, #pl.ones(5):chunk(3))
    assert.same({ 1 }, pl.ones(5):chunk(3)[3].shape)
    parts[1]:fill_(0)
    assert.same({ { 0, 0, 3 }, { 0, 0, 6 } }, x:totable())
    assert.equal(1, #pl.zeros(0):split(2))
    assert.equal("split: the sizes make 2, dimension 2 has 3",
      message_of(x.split, x, { 1, 1 }, 2))
  end)

  it("unbinds, tiles, repeats and rolls", function()
    local x = counting()
    assert.same({ 4, 5, 6 }, x:unbind()[2]:totable())
    assert.same({ 2, 5 }, x:unbind(2)[2]:totable())
    assert.same({ { 1, 2, 3, 1, 2, 3 }, { 4, 5, 6, 4, 5, 6 } }, x:tile(2):totable())
    assert.same({ 2, 2, 3 }, x:tile(2, 1, 1).shape)
    assert.same({ 2, 0 }, x:tile({ 1, 0 }).shape)
    assert.same({ 1, 1, 2, 2, 3, 3 }, x[1]:repeat_interleave(2):totable())
    assert.same({ { 1, 1, 2, 2, 3, 3 }, { 4, 4, 5, 5, 6, 6 } },
      x:repeat_interleave(2, -1):totable())
    assert.same({ { 3, 1, 2 }, { 6, 4, 5 } }, x:roll(1, 2):totable())
    assert.same({ { 2, 3, 4 }, { 5, 6, 1 } }, x:roll(-1):totable())
    assert.same({ { 2, 2, 2 }, { 2, 2, 2 } }, gradient(function(t) return t:tile(1, 2) end, x))
  end)

  it("takes triangles and diagonals", function()
    local x = counting()
    assert.same({ { 1, 0, 0 }, { 4, 5, 0 } }, x:tril():totable())
    assert.same({ { 1, 2, 0 }, { 4, 5, 6 } }, x:tril(1):totable())
    assert.same({ { 0, 2, 3 }, { 0, 0, 6 } }, x:triu(1):totable())
    assert.same({ { { 1, 0 }, { 1, 1 } } }, pl.ones(1, 2, 2, { dtype = "i64" }):tril():totable())
    assert.same({ 1, 5 }, x:diag():totable())
    assert.same({ { 1, 0 }, { 0, 2 } }, pl.tensor{ 1, 2 }:diag():totable())
    assert.equal(6, x:trace():item())
    assert.same({ { 1, 0, 0 }, { 1, 1, 0 } }, gradient(function(t) return t:tril() end, x))
    assert.equal("tril: the tensor has 1 dimensions, matrices have 2",
      message_of(pl.tril, pl.ones(3)))
  end)

  it("stacks rows and columns", function()
    assert.same({ { 1, 1 }, { 0, 0 } }, pl.vstack{ pl.ones(2), pl.zeros(2) }:totable())
    assert.same({ 1, 1, 0, 0 }, pl.hstack{ pl.ones(2), pl.zeros(2) }:totable())
    assert.same({ 2, 6 }, pl.hstack{ counting(), counting() }.shape)
    assert.same({ 2, 6 }, pl.cat({ counting(), counting() }, { dim = 2 }).shape)
    assert.equal("cat: the tensors come in a list, pl.cat({ a, b }, 1), got a tensor of shape 2",
      message_of(pl.cat, pl.ones(2), pl.ones(2)))
  end)
end)

describe("Mathematics", function()
  it("has norms over dimensions, whose gradient at 0 is 0", function()
    local x = pl.tensor{ { 3, -4 }, { 0, 0 } }
    assert.equal(5, x:norm():item())
    assert.same({ 5, 0 }, x:norm(2, 2):totable())
    assert.same({ { 7 }, { 0 } }, x:norm(1, 2, true):totable())
    assert.same({ 3, 4 }, x:norm{ p = math.huge, dim = 1 }:totable())
    assert.same({ 1, 1 }, x:norm(0, 1):totable())
    assert.near(4.4979, x:norm(3):item(), 1e-3)
    local slopes = gradient(function(t) return t:norm(2, 2) end, x)
    assert.near(0.6, slopes[1][1], 1e-6)
    assert.same({ 0, 0 }, slopes[2])
    assert.same({ 0, 0 }, gradient(function(t) return t:std() end, pl.ones(2)))
    assert.near(math.sqrt(3.5), counting():std():item(), 1e-6)
  end)

  it("has remainders with the sign of the divisor", function()
    local odd = i64{ 1, 2, -1 } % 2
    assert.same({ 1, 0, 1 }, odd:totable())
    assert.equal("i64", (i64{ 1 } % 2).dtype)
    assert.same({ 1, 1 }, pl.remainder(7, i64{ 2, 3 }):totable())
    assert.same({ 1.5, 1 }, (pl.tensor{ 5.5, -1 } % 2):totable())
    assert.same({ 1, 1 }, gradient(function(t) return t % 2 end, pl.tensor{ 3.5, 5 }))
    assert.equal(2 ^ 52 % 7, (i64{ 2 ^ 52 } % 7):item())
  end)

  it("finds what is not a number and not finite", function()
    local x = pl.tensor{ 1, 0 / 0, -math.huge }
    assert.same({ false, true, false }, x:isnan():totable())
    assert.same({ false, false, true }, x:isinf():totable())
    assert.equal(2, pl.tensor{ 1, 0, 3 }:count_nonzero():item())
    assert.near(3, pl.tensor(8):log2():item(), 1e-6)
    assert.near(2, pl.tensor(100):log10():item(), 1e-6)
    assert.near(math.tan(1), pl.tensor(1):tan():item(), 1e-6)
    assert.same({ 2, 1 }, pl.tensor{ 1, 0 }:lerp(pl.tensor{ 3, 2 }, 0.5):totable())
  end)

  it("multiplies vectors and matrices of the ranks that the names say", function()
    local x, v = counting(), pl.tensor{ 1, 2, 3 }
    assert.same({ 14, 32 }, x:mv(v):totable())
    assert.equal(14, v:dot(v):item())
    assert.same({ { 1, 2, 3 }, { 2, 4, 6 } }, pl.tensor{ 1, 2 }:outer(v):totable())
    assert.same(x:matmul(x.T):totable(), pl.mm(x, x:t()):totable())
    assert.same({ 1, 2, 2 }, x:unsqueeze(1):bmm(x.T:unsqueeze(1)).shape)
    assert.equal("mm: expected a matrix, got a tensor of 1 dimensions; matmul takes all",
      message_of(x.mm, x, v))
  end)

  it("compares whole tensors", function()
    local x = counting()
    assert.is_true(x:equal(x:clone()))
    assert.is_false(x:equal(x[1]))
    assert.is_true(pl.allclose(x, x + 1e-6))
    assert.is_false(x:allclose(x + 1e-3))
    assert.is_true(x:allclose(x + 1e-3, { atol = 1e-2 }))
    local odd = pl.tensor{ 0 / 0, math.huge, 1 }
    assert.same({ false, true, false }, odd:isclose(pl.tensor{ 0 / 0, math.huge, math.huge })
      :totable())
    assert.is_true(odd:allclose(odd, { equal_nan = true }))
    assert.equal("tensors are compared by methods: a:lt(b), a:le(b), a:gt(b), a:ge(b)",
      message_of(function() return x < x end))
  end)

  it("finds the largest of all elements, or along a dimension by either name", function()
    local x = pl.tensor{ { 1, 5, 2 }, { 4, 0, 9 } }
    assert.equal(6, x:argmax():item())
    assert.equal(5, x:argmin():item())
    assert.same({ 2, 3 }, x:argmax(2):totable())
    assert.same({ { 2 }, { 3 } }, x:argmax{ dim = 2, keepdim = true }:totable())
    assert.same({ 8, 13 }, x:sum{ dim = 2 }:totable())
    assert.same({ 8, 13 }, x:sum{ axis = 2 }:totable())
  end)
end)

describe("Sampling", function()
  before_each(function() pl.manual_seed(3) end)

  it("draws positions by their weights", function()
    local weights = pl.tensor{ { 0, 1, 3 }, { 2, 0, 0 } }
    local drawn = weights:multinomial(4000, true)
    assert.same({ 2, 4000 }, drawn.shape)
    assert.equal("i64", drawn.dtype)
    assert.equal(0, drawn[1]:eq(1):sum():item())
    assert.near(0.25, drawn[1]:eq(2):sum():item() / 4000, 0.03)
    assert.is_true(drawn[2]:eq(1):all():item())
    local different = pl.tensor{ 1, 0, 5, 2 }:multinomial(3):sort()
    assert.same({ 1, 3, 4 }, different:totable())
    assert.same({ 1 }, pl.tensor{ 1, 2 }:softmax(1):multinomial(1).shape)
    local first = 0
    for _ = 1, 400 do first = first + pl.tensor{ 1, 3 }:multinomial(1):eq(1):sum():item() end
    assert.near(0.25, first / 400, 0.07)
  end)

  it("refuses weights from which nothing can be drawn", function()
    for _, weights in ipairs{ { 1, -1 }, { 0 / 0, 1 }, { 0, 0 } } do
      assert.truthy(message_of(pl.multinomial, pl.tensor(weights), 1, true)
        :find("the weights must be finite, none negative, and 1 of them positive", 1, true))
    end
    assert.truthy(message_of(pl.multinomial, pl.tensor{ 1, 0 }, 2):find("2 of them", 1, true))
  end)

  it("draws ones by probabilities", function()
    assert.same({ 0, 1 }, pl.tensor{ 0, 1 }:bernoulli():totable())
    assert.near(0.3, pl.zeros(4000):bernoulli_(0.3):mean():item(), 0.03)
    local u = pl.zeros(1000):uniform_(2, 3)
    assert.is_true(u:ge(2):logical_and(u:lt(3)):all():item())
    assert.near(5, pl.zeros(4000):normal_(5, 0.1):mean():item(), 0.02)
    assert.same({ 2, 3 }, pl.randn_like(counting()).shape)
    assert.is_true(pl.randint(6, { 100 }):ge(1):all():item())
  end)
end)

describe("Names from PyTorch", function()
  it("are functions of pl, dtypes among them", function()
    local x = counting()
    assert.equal(21, pl.sum(x):item())
    assert.same(x:relu():totable(), pl.relu(x):totable())
    assert.same({ 1, 0 }, pl.where(pl.tensor{ true, false }, pl.ones(2), pl.zeros(2)):totable())
    assert.equal("f32", pl.float32)
    assert.equal("i64", pl.tensor({ 1 }, { dtype = pl.int64 }).dtype)
    assert.equal("i64", pl.tensor({ 1 }, "long").dtype)
    assert.equal("f64", x:to("float64").dtype)
    assert.equal("bf16", x:bfloat16().dtype)
    assert.equal("u8", x:byte().dtype)
    assert.equal("i32", x:type_as(pl.ones(1):int()).dtype)
    assert.equal("f16", pl.nn.Linear(1, 1):half().weight.dtype)
    assert.equal("f64", pl.nn.Linear(1, 1):to("double").weight.dtype)
    assert.equal("tensor: unknown dtype 'f31'; there are bool, u8, i32, i64, f16, bf16, f32, f64",
      message_of(pl.tensor, { 1 }, { dtype = "f31" }))
    assert.truthy(message_of(function() return pl.matmull end):find("'matmul'", 1, true))
  end)

  it("make rectangles with ones on the diagonal", function()
    assert.same({ { 1, 0, 0 }, { 0, 1, 0 } }, pl.eye(2, 3):totable())
    assert.equal("i64", pl.eye(2, { dtype = "i64" }).dtype)
  end)
end)

describe("Shapes", function()
  it("print, join texts and compare as a whole, and stay lists", function()
    local x = counting()
    assert.equal("{2, 3}", tostring(x.shape))
    assert.equal("shape {2, 3}", "shape " .. x:size())
    assert.equal("{}", tostring(x:sum().shape))
    assert.is_true(x.shape == pl.zeros(2, 3).shape)
    assert.is_false(x.shape == x.T.shape)
    assert.same({ 2, 3 }, pl.zeros(x.shape).shape)
    assert.same({ 2, 3 }, pl.nn.LayerNorm(x.shape).weight.shape)
    assert.same({ 2, 3 }, codec.decode(codec.encode(x.shape, "x")))
    assert.equal(2, require("perilune.check").value("f", "sizes", x.shape, { type = "list" })[1])
  end)
end)

describe("What runs a function", function()
  it("says so where it gets none", function()
    for _, name in ipairs{ "scope", "no_grad", "enable_grad" } do
      assert.equal(name .. ": write pl." .. name .. "(f, ...), which runs f(...); got nil",
        message_of(pl[name]))
    end
    assert.same({ 1, 2 }, pl.no_grad(pl.nn.Linear(3, 2), pl.ones(1, 3)).shape)
  end)
end)

describe("Arguments that are tensors in the wrong place", function()
  it("are named with their shape", function()
    local x = counting()
    assert.equal("max: axes must be positions, got a tensor of shape 2x3", message_of(pl.max, x, x))
    assert.equal("reshape: sizes must be sizes, got a tensor of shape 2x3",
      message_of(pl.reshape, x, x))
    assert.equal("copy takes no attributes, got a tensor of shape 2x3", message_of(x.copy, x, x))
    assert.equal("add: other must be a tensor or a number, got 'a'",
      message_of(function() return x + "a" end))
  end)
end)
