local pl = require "perilune"
local nn, optim = pl.nn, pl.optim

local function message(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "expected an error")
  return e.message
end

local function leaf(data)
  return pl.tensor(data, { dtype = "f64", requires_grad = true })
end

--- Four steps on (a^3).sum / 10 + i (b^2).sum; b sits out the steps in `skip`.
local function descend(options, skip)
  local a, b = leaf { 1, -2, 3 }, leaf { { 0.5 }, { 0.25 } }
  local optimizer = optim.SGD({ a, b }, options)
  for i = 1, 4 do
    optimizer:zero_grad()
    local loss = (a * a * a):sum() * 0.1
    if not (skip and skip[i]) then loss = loss + (b * b):sum() * i end
    loss:backward()
    optimizer:step()
  end
  return a:totable(), b:flatten():totable(), optimizer
end

local function near(expected, got)
  for i, value in ipairs(expected) do
    assert(math.abs(value - got[i]) <= 1e-8 * math.max(1, math.abs(value)),
      ("expected %.10g, got %.10g"):format(value, got[i]))
  end
end

local function agrees(expected_a, expected_b, options, skip)
  local a, b = descend(options, skip)
  near(expected_a, a)
  near(expected_b, b)
end

-- Expected numbers were made with torch.optim.SGD in float64.
describe("optim.SGD agrees with PyTorch", function()
  it("plain", function()
    agrees({ 0.890039104, -2.58122149, 2.15676308 }, { 0.0192, 0.0096 }, { lr = 0.1 })
  end)
  it("with momentum", function()
    agrees({ 0.751470474, -3.3229929, 1.08787397 }, { -0.3165, -0.15825 },
      { lr = 0.1, momentum = 0.9 })
  end)
  it("with nesterov and weight decay", function()
    agrees({ 0.67977113, -4.09842059, 0.832812922 }, { -0.0624281381, -0.031214069 },
      { lr = 0.1, momentum = 0.9, nesterov = true, weight_decay = 0.01 })
  end)
  it("with dampening", function()
    agrees({ 0.872950531, -2.35421185, 2.10913417 }, { 0.00516987411, 0.00258493705 },
      { lr = 0.05, momentum = 0.8, dampening = 0.3, weight_decay = 0.1 })
  end)
  it("maximising", function()
    agrees({ 1.02739803, -1.89337069, 3.25121594 }, { 0.69902352, 0.34951176 },
      { lr = 0.01, momentum = 0.9, maximize = true })
  end)
  it("when a parameter has no gradient at its first steps", function()
    agrees({ 0.751470474, -3.3229929, 1.08787397 }, { -0.12, -0.06 },
      { lr = 0.1, momentum = 0.9 }, { true, false, true, false })
  end)
end)

describe("optim.SGD", function()
  it("takes a changed learning rate at the next step", function()
    local p = leaf { 1 }
    local optimizer = optim.SGD({ p }, { lr = 0.5 })
    p:sum():backward()
    optimizer:step()
    assert.are.equal(0.5, p[1]:item())
    optimizer.param_groups[1].lr = 0.25
    optimizer:step()
    assert.are.equal(0.25, p[1]:item())
  end)

  it("keeps hyper-parameters per group", function()
    local a, b = leaf { 1 }, leaf { 1 }
    local optimizer = optim.SGD({ { params = { a }, lr = 1 }, { params = { b } } }, { lr = 0.5 })
    local loss = (a + b):sum()
    loss:backward()
    optimizer:step()
    assert.are.equal(0, a[1]:item())
    assert.are.equal(0.5, b[1]:item())
    assert.are.equal(1, optimizer.param_groups[1].lr)
    assert.are.equal(0.5, optimizer.param_groups[2].lr)
  end)

  it("keeps each parameter's momentum when parameters take turns", function()
    local options = { lr = 0.1, momentum = 0.9 }
    local function turns(optimizers, a, b)
      for i = 1, 6 do
        local p = i % 2 == 0 and a or b
        local loss = p:square():sum()
        loss:backward()
        for _, optimizer in ipairs(optimizers) do
          optimizer:step()
          optimizer:zero_grad()
        end
      end
      return { a:item(), b:item() }
    end
    local a, b = leaf { 1 }, leaf { 2 }
    local together = turns({ optim.SGD({ a, b }, options) }, a, b)
    a, b = leaf { 1 }, leaf { 2 }
    local apart = turns({ optim.SGD({ a }, options), optim.SGD({ b }, options) }, a, b)
    assert.are.same(apart, together)
  end)

  it("optimises a head that replaced another", function()
    local model = nn.Sequential { nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2) }
    model[3] = nn.Linear(4, 5)
    local optimizer = optim.SGD(model[3]:parameters(), { lr = 0.1 })
    local trunk, head = model[1].weight:totable(), model[3].weight:totable()
    model(pl.rand(6, 3)):square():sum():backward()
    optimizer:step()
    assert.are.same(trunk, model[1].weight:totable())
    assert.are_not.same(head, model[3].weight:totable())
    optimizer:add_param_group { params = model[1]:parameters(), lr = 0.01 }
    optimizer:step()
    assert.are_not.same(trunk, model[1].weight:totable())
  end)

  it("stays right when the model is cast", function()
    local model = nn.Linear(2, 1)
    local optimizer = optim.SGD(model:parameters(), { lr = 0.1 })
    model:to "f64"
    local before = model.weight:totable()
    model(pl.ones({ 1, 2 }, { dtype = "f64" })):sum():backward()
    optimizer:step()
    assert.is_true(math.abs(before[1][1] - 0.1 - model.weight:totable()[1][1]) < 1e-12)
  end)

  it("updates inside a scope what lives outside", function()
    local p = leaf { 1, 2 }
    local optimizer = optim.SGD({ p }, { lr = 0.1, momentum = 0.9 })
    for _ = 1, 3 do
      pl.scope(function()
        local loss = (p * p):sum()
        loss:backward()
        optimizer:step()
        optimizer:zero_grad()
      end)
    end
    assert.is_nil(p.grad)
    assert.is_true(p[1]:item() < 1)
  end)

  it("runs a closure with gradients on and returns its loss", function()
    local p = leaf { 2 }
    local optimizer = optim.SGD({ p }, { lr = 0.1 })
    local loss = pl.no_grad(function()
      return optimizer:step(function()
        local l = (p * p):sum()
        l:backward()
        return l
      end)
    end)
    assert.are.equal(4, loss:item())
    assert.is_true(math.abs(p[1]:item() - 1.6) < 1e-12)
  end)

  it("zeroes or drops gradients", function()
    local p = leaf { 2 }
    local optimizer = optim.SGD({ p })
    p:sum():backward()
    optimizer:zero_grad { set_to_none = false }
    assert.are.equal(0, p.grad[1]:item())
    optimizer:zero_grad()
    assert.is_nil(p.grad)
    optimizer:step()
    assert.are.equal(2, p[1]:item())
  end)

  it("goes on exactly from its state", function()
    local options = { lr = 0.1, momentum = 0.9 }
    local function steps(p, optimizer, n)
      for _ = 1, n do
        optimizer:zero_grad()
        local loss = (p * p * p):sum()
        loss:backward()
        optimizer:step()
      end
    end
    local a = leaf { 1, 0.5 }
    local first = optim.SGD({ a }, options)
    steps(a, first, 2)
    local b = pl.tensor(a:totable(), { dtype = "f64", requires_grad = true })
    local second = optim.SGD({ b }, { lr = 1 })
    second:load_state_dict(first:state_dict())
    assert.are.equal(0.1, second.param_groups[1].lr)
    steps(a, first, 2)
    steps(b, second, 2)
    assert.are.same(a:totable(), b:totable())
    local other = optim.SGD({ leaf { 1 }, leaf { 2 } })
    assert.truthy(message(other.load_state_dict, other, first:state_dict())
      :find("has 1 parameters, here are 2", 1, true))
  end)

  it("refuses what cannot be optimised", function()
    local p = leaf { 1 }
    assert.truthy(message(optim.SGD, {}, { lr = 1 }):find("empty list of parameters", 1, true))
    assert.are.equal("SGD: 'params' must be a list, got a tensor of shape 1",
      message(optim.SGD, p, { lr = 1 }))
    assert.are.equal("SGD: parameter 2 must be a tensor, got 'x'", message(optim.SGD, { p, "x" }))
    assert.truthy(message(optim.SGD, { p * 2 }):find("is not a leaf", 1, true))
    assert.truthy(message(optim.SGD, { p, p }):find("given twice", 1, true))
    assert.truthy(message(optim.SGD, { { params = { p } }, { params = { p } } })
      :find("also as parameter 1 of group 1", 1, true))
  end)

  it("refuses hyper-parameters that make no sense", function()
    local p = leaf { 1 }
    assert.are.equal("SGD: 'lr' must be a number >= 0, got -1",
      message(optim.SGD, { p }, { lr = -1 }))
    assert.truthy(message(optim.SGD, { p }, { nesterov = true }):find("needs a momentum", 1, true))
    assert.are.equal("SGD: unknown option 'momentun' (did you mean 'momentum'?)",
      message(optim.SGD, { p }, { momentun = 0.9 }))
    assert.truthy(message(optim.SGD, { { params = { p }, lrr = 1 } })
      :find("did you mean 'lr'", 1, true))
  end)

  it("prints its groups", function()
    assert.truthy(tostring(optim.SGD({ leaf { 1 } }, { lr = 0.25 })):find("lr: 0.25", 1, true))
  end)
end)
