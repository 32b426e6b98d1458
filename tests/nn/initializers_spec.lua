local pl = require "perilune"
local init = pl.nn.init

local function message(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "expected an error")
  return e.message
end

local function near(expected, got, tolerance)
  assert(math.abs(expected - got) <= tolerance, ("expected %g, got %g"):format(expected, got))
end

local function deviation(t)
  return math.sqrt(t:double():square():mean():item() - t:double():mean():item() ^ 2)
end

describe("nn.init", function()
  before_each(function() pl.manual_seed(7) end)

  it("returns the tensor it filled, also when that requires grad", function()
    local p = pl.nn.Parameter(pl.zeros(3, 3))
    assert.are.equal(p, init.ones_(p))
    assert.are.equal(9, p:sum():item())
    assert.are.equal(0, init.zeros_(p):sum():item())
    assert.are.equal(2.5, init.constant_(p, 2.5)[1][1]:item())
    assert.is_true(p.is_leaf)
  end)

  it("takes options by position or by name", function()
    local t = pl.zeros(2000)
    init.uniform_(t, 2, 3)
    assert.is_true(t:min():item() >= 2 and t:max():item() < 3)
    init.uniform_(t, { a = -1, b = 0 })
    assert.is_true(t:min():item() >= -1 and t:max():item() <= 0)
    init.normal_(t, 5, 0.1)
    near(5, t:mean():item(), 0.02)
    near(0.1, deviation(t), 0.01)
    assert.truthy(message(init.normal_, t, { sdt = 1 }):find("did you mean 'std'", 1, true))
    assert.truthy(message(init.uniform_, 3):find("expected a tensor, got 3", 1, true))
  end)

  it("has PyTorch's gains", function()
    assert.are.equal(1, init.calculate_gain "linear")
    near(1.41421356, init.calculate_gain "relu", 1e-8)
    near(1.41414286, init.calculate_gain "leaky_relu", 1e-8)
    near(math.sqrt(1 / 3), init.calculate_gain("leaky_relu", math.sqrt(5)), 1e-12)
    assert.truthy(message(init.calculate_gain, "rleu"):find("did you mean 'relu'", 1, true))
  end)

  it("scales by fan", function()
    local t = pl.zeros(40, 60)
    init.xavier_uniform_(t)
    near(math.sqrt(6 / 100), t:abs():max():item(), 1e-3)
    init.xavier_normal_(t, { gain = 2 })
    near(2 * math.sqrt(2 / 100), deviation(t), 0.02)
    init.kaiming_uniform_(t, { a = math.sqrt(5) })
    near(1 / math.sqrt(60), t:abs():max():item(), 1e-3)
    init.kaiming_uniform_(t, { mode = "fan_out", nonlinearity = "relu" })
    near(math.sqrt(6 / 40), t:abs():max():item(), 1e-3)
    init.kaiming_normal_(t, { nonlinearity = "relu" })
    near(math.sqrt(2 / 60), deviation(t), 0.01)
    assert.truthy(message(init.xavier_uniform_, pl.zeros(3)):find("2 dimensions or more", 1, true))
  end)

  it("counts the kernel in the fans of a convolution weight", function()
    local t = pl.zeros(8, 4, 3, 3)
    init.kaiming_uniform_(t, { a = 1 })
    near(math.sqrt(3 / 36), t:abs():max():item(), 0.01)
  end)

  it("makes identities and orthogonal matrices", function()
    assert.are.same({ { 1, 0, 0 }, { 0, 1, 0 } }, init.eye_(pl.zeros(2, 3)):totable())
    for _, shape in ipairs { { 5, 5 }, { 3, 7 }, { 7, 3 } } do
      local t = init.orthogonal_(pl.zeros(shape), { gain = 2 })
      local product = shape[1] <= shape[2] and t:matmul(t:t()) or t:t():matmul(t)
      near(0, (product - pl.eye(math.min(shape[1], shape[2])) * 4):abs():max():item(), 1e-5)
    end
    assert.are.same({ 4, 2, 3 }, init.orthogonal_(pl.zeros(4, 2, 3)).shape)
  end)

  it("truncates and thins out", function()
    local t = init.trunc_normal_(pl.zeros(3000), { std = 1, a = -0.5, b = 1 })
    assert.is_true(t:min():item() >= -0.5 and t:max():item() <= 1)
    assert.is_true(deviation(t) > 0.3)
    local sparse = init.sparse_(pl.zeros(10, 4), { sparsity = 0.3 })
    for _, zeros in ipairs(sparse:eq(0):sum(1):totable()) do
      assert.are.equal(3, tonumber(zeros))
    end
  end)

  it("gives Linear PyTorch's start", function()
    local linear = pl.nn.Linear(400, 50)
    near(0.05, linear.weight:abs():max():item(), 1e-3)
    near(0.05, linear.bias:abs():max():item(), 5e-3)
    pl.manual_seed(3)
    local a = pl.nn.Linear(3, 2).weight:totable()
    pl.manual_seed(3)
    assert.are.same(a, pl.nn.Linear(3, 2).weight:totable())
  end)
end)
