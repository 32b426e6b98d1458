-- Adam, AdamW and RMSprop against torch's numbers (golden.lua, written by make_golden.py).

local pl = require "perilune"
local golden = require "tests.optim.golden"
local optim = pl.optim

local function message(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "expected an error")
  return e.message
end

local function near(expected, got, what)
  assert.are.equal(#expected, #got)
  for i, value in ipairs(expected) do
    if math.abs(value - got[i]) > 1e-6 * math.max(1, math.abs(value)) then
      error(("%s: element %d is %.9g, expected %.9g"):format(what, i, got[i], value))
    end
  end
end

local function parameters(start)
  local params = {}
  for i, values in ipairs(start) do params[i] = pl.tensor(values):requires_grad_(true) end
  return params
end

local function set_gradients(params, grads)
  for i, values in ipairs(grads) do params[i].grad = values and pl.tensor(values) or nil end
end

local function halve_rate(optimizer, step)
  local group = optimizer.param_groups[1]
  if step == 3 then group.lr = group.lr / 2 end
end

local function check_state(optimizer, params, states)
  for i, expected in ipairs(states) do
    local state, names = optimizer.state[params[i]], 0
    for name, values in pairs(expected) do
      names = names + 1
      local got = state[name]
      if name == "step" then assert.are.equal(values, got:item())
      else near(values, got:totable(), name) end
    end
    for name in pairs(state) do
      assert(expected[name], "torch has no state named " .. name)
      names = names - 1
    end
    assert.are.equal(0, names)
  end
end

for i, run in ipairs(golden) do
  describe(("optim.%s, options %d,"):format(run.name, i), function()
    it("walks as torch's does and keeps the same state", function()
      local params = parameters(run.start)
      local optimizer = optim[run.name](params, run.options)
      for k, step in ipairs(run.steps) do
        set_gradients(params, step.grads)
        optimizer:step()
        for j, values in ipairs(step.after) do
          near(values, params[j]:totable(), ("step %d, parameter %d"):format(k, j))
        end
        halve_rate(optimizer, k)
      end
      check_state(optimizer, params, run.state)
    end)

    it("goes on from its state exactly", function()
      local params = parameters(run.start)
      local optimizer = optim[run.name](params, run.options)
      for k, step in ipairs(run.steps) do
        set_gradients(params, step.grads)
        optimizer:step()
        halve_rate(optimizer, k)
        if k == 3 then
          local dict = optimizer:state_dict()
          optimizer = optim[run.name](params, { lr = 1 })
          optimizer:load_state_dict(dict)
        end
      end
      local last = run.steps[#run.steps].after
      for j, values in ipairs(last) do near(values, params[j]:totable(), "parameter " .. j) end
    end)
  end)
end

describe("adaptive optimizers", function()
  local function leaf(data)
    return pl.tensor(data, { requires_grad = true })
  end

  it("take options per group", function()
    local a, b = leaf { 1 }, leaf { 1 }
    local optimizer = optim.AdamW({ { params = { a }, lr = 0.5, betas = { 0.5, 0.5 } },
      { params = { b } } }, { lr = 0.25 })
    assert.are.same({ 0.5, 0.5 }, optimizer.param_groups[1].betas)
    assert.are.same({ 0.9, 0.999 }, optimizer.param_groups[2].betas)
    assert.are.equal(0.01, optimizer.param_groups[2].weight_decay)
    a.grad, b.grad = pl.ones(1), pl.ones(1)
    optimizer:step()
    near({ 0.495 }, a:totable(), "a")
    near({ 0.7475 }, b:totable(), "b")
  end)

  it("do not share the defaults between optimizers", function()
    local first = optim.Adam { leaf { 1 } }
    first.param_groups[1].betas[1] = 0.5
    assert.are.equal(0.9, optim.Adam { leaf { 1 } }.param_groups[1].betas[1])
    local dict = first:state_dict()
    dict.param_groups[1].betas[1] = 0.1
    assert.are.equal(0.5, first.param_groups[1].betas[1])
  end)

  it("take up a group that is added between steps", function()
    local a, b = leaf { 1, 2 }, leaf { 3 }
    local optimizer = optim.Adam({ a }, { lr = 0.1 })
    a.grad = pl.ones(2)
    optimizer:step()
    optimizer:add_param_group { params = { b }, lr = 0.01 }
    b.grad = pl.ones(1)
    optimizer:step()
    assert.are.equal(2, optimizer.state[a].step:item())
    assert.are.equal(1, optimizer.state[b].step:item())
    near({ 2.99 }, b:totable(), "b")
  end)

  it("read the step count of a state that holds it as a number", function()
    local a = leaf { 1 }
    local optimizer = optim.Adam({ a }, { lr = 0.1 })
    a.grad = pl.ones(1)
    optimizer:step()
    local dict = optimizer:state_dict()
    dict.state[1] = { exp_avg = dict.state[1].exp_avg, exp_avg_sq = dict.state[1].exp_avg_sq,
      step = 7 }
    optimizer:load_state_dict(dict)
    optimizer:step()
    assert.are.equal(8, optimizer.state[a].step:item())
  end)

  it("start an average that is switched on later", function()
    local a = leaf { 1 }
    local optimizer = optim.RMSprop({ a }, { lr = 0.1 })
    a.grad = pl.ones(1)
    optimizer:step()
    optimizer.param_groups[1].momentum = 0.9
    optimizer:step()
    assert.truthy(optimizer.state[a].momentum_buffer)
  end)

  it("refuse numbers that make no sense", function()
    local p = { leaf { 1 } }
    assert.are.equal("Adam: 'betas' must be two numbers in [0, 1), got { 0.9, 1 }",
      message(optim.Adam, p, { betas = { 0.9, 1 } }))
    assert.are.equal("AdamW: 'betas' must be two numbers in [0, 1), got { 0.9, nil }",
      message(optim.AdamW, p, { betas = { 0.9 } }))
    assert.are.equal("Adam: 'eps' must be a number >= 0, got -1",
      message(optim.Adam, p, { eps = -1 }))
    assert.are.equal("RMSprop: 'alpha' must be at most 1, got 1.5",
      message(optim.RMSprop, p, { alpha = 1.5 }))
    assert.truthy(message(optim.AdamW, p, { weight_dekay = 1 })
      :find("did you mean 'weight_decay'", 1, true))
  end)
end)
