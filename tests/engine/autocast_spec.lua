-- pl.autocast: which ops compute in which dtype, where gradients go, when weights are cast.

local pl = require "perilune"
local context = require "perilune.context"
local engine = require "perilune.engine"

local function weight(...) return pl.randn(...):requires_grad_(true) end

--- The bytes that f's tensors take.
local function allocated(f)
  local before = engine.context.allocated
  pl.scope(f)
  return tonumber(engine.context.allocated - before)
end

--- The largest difference relative to the largest element of b.
local function apart(a, b)
  return ((a - b):abs():max() / b:abs():max()):item()
end

describe("autocast", function()
  before_each(function() pl.manual_seed(1) end)

  it("runs products in the half type and what needs range in f32", function()
    local x, w, image = pl.randn(4, 6), weight(3, 6), pl.randn(2, 3, 5, 5)
    pl.autocast(function()
      assert.equal("bf16", x:linear(w).dtype)
      assert.equal("bf16", x:matmul(x:t()).dtype)
      assert.equal("bf16", image:conv2d(weight(4, 3, 3, 3)).dtype)
      local h = x:linear(w)
      for _, name in ipairs{ "exp", "log", "softmax", "log_softmax", "sum", "mean", "softplus",
        "layer_norm", "logsumexp", "square", "relu", "tanh", "gelu" } do
        local half = name == "square" or name == "relu" or name == "tanh" or name == "gelu"
        assert.equal(half and "bf16" or "f32", h[name](h).dtype, name)
      end
      assert.equal("f32", h:pow(2).dtype)
      assert.equal("f32", h:mse_loss(pl.zeros(4, 3)).dtype)
      assert.equal("f32", h:cross_entropy(pl.ones(4, { dtype = "i64" })).dtype)
      assert.equal("bf16", h:mul(2).dtype)
      assert.equal("f32", h:add(pl.ones(3)).dtype)
      assert.equal("f64", x:to("f64"):linear(w:to("f64")).dtype)
      assert.equal("i64", pl.ones(3, { dtype = "i64" }):sum().dtype)
    end)
    assert.equal("f32", x:linear(w).dtype)
  end)

  it("normalises half images with f32 parameters and moves f32 statistics", function()
    local layer = pl.nn.BatchNorm2d(3)
    local x = pl.randn(4, 3, 5, 5)
    local y = layer(x:to("bf16"))
    assert.equal("bf16", y.dtype)
    y:to("f32"):square():sum():backward()
    assert.equal("f32", layer.weight.grad.dtype)
    local plain = pl.nn.BatchNorm2d(3)
    plain(x:to("bf16"):to("f32")):square():sum():backward()
    assert.equal("f32", layer.running_mean.dtype)
    assert.is_true(apart(layer.running_var, plain.running_var) < 1e-5)
    assert.is_true(apart(layer.weight.grad, plain.weight.grad) < 1e-2)
  end)

  it("takes the half type by name and can be switched off inside", function()
    local x = pl.randn(2, 2)
    pl.autocast("f16", function()
      assert.equal("f16", context.autocast_dtype())
      assert.equal("f16", x:matmul(x).dtype)
      pl.autocast(false, function() assert.equal("f32", x:matmul(x).dtype) end)
      assert.equal("f16", x:matmul(x).dtype)
    end)
    assert.is_nil(context.autocast_dtype())
  end)

  it("ends when an error leaves it", function()
    pcall(pl.autocast, function() error("out") end)
    assert.is_nil(context.autocast_dtype())
  end)

  it("refuses what is no half type", function()
    local ok, err = pcall(pl.autocast, "f8", function() end)
    assert.is_false(ok)
    assert.equal("argument", err.kind)
    assert.truthy(err.message:find("bf16", 1, true))
  end)

  it("gives f32 weights f32 gradients close to those without it", function()
    local x, w, b = pl.randn(16, 6), weight(3, 6), weight(3)
    local function gradients(run)
      w.grad, b.grad = nil, nil
      run(function() return x:linear(w, b):square():mean() end):backward()
      return w.grad, b.grad
    end
    local want_w, want_b = gradients(function(f) return f() end)
    local got_w, got_b = gradients(pl.autocast)
    assert.equal("f32", got_w.dtype)
    assert.is_true(apart(got_w, want_w) < 0.03)
    assert.is_true(apart(got_b, want_b) < 0.03)
  end)

  it("keeps what backward needs in the half type", function()
    local x, w = pl.randn(64, 1024), weight(1024, 1024)
    local function kept(run)
      local before = engine.memory("cpu").in_use
      local y = pl.scope(run, function()
        return x:linear(w):relu():linear(w):relu():sum()
      end)
      return engine.memory("cpu").in_use - before, y
    end
    pl.autocast(x.linear, x, w)
    local plain, y = kept(function(f) return f() end)
    local half, z = kept(pl.autocast)
    assert.is_true(half < 0.7 * plain, half .. " of " .. plain)
    y:backward()
    z:backward()
  end)

  it("casts a weight once per version, in every dtype asked for", function()
    local x, w = pl.randn(2, 300), weight(300, 300)
    local function forward() return pl.autocast(x.linear, x, w) end
    assert.is_true(allocated(forward) >= 300 * 300 * 2)
    assert.is_true(allocated(forward) < 300 * 300 * 2)
    local first = pl.autocast(function() return x:linear(w) end)
    pl.no_grad(function() w:mul_(2) end)
    local second = pl.autocast(function() return x:linear(w) end)
    assert.is_true(apart(first * 2, second) < 0.01)
    assert.equal("f16", pl.autocast("f16", function() return x:linear(w) end).dtype)
  end)

  it("lets an old graph go on after the weight has moved", function()
    local x, w = pl.randn(2, 3):requires_grad_(true), weight(3, 3)
    local y = pl.autocast(function() return x:linear(w) end)
    pl.no_grad(function() w:mul_(0) end)
    pl.autocast(function() return x:linear(w) end)
    y:sum():backward()
    assert.is_true(x.grad:abs():max():item() > 0)
  end)

  it("leaves backward in the dtypes of the forward pass", function()
    local w = weight(3, 3)
    pl.autocast(function()
      w:mul(2):sum():backward()
    end)
    assert.equal("f32", w.grad.dtype)
    assert.equal(2, w.grad:max():item())
  end)
end)
