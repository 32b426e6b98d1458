-- The CPU kernels against PyTorch's numbers (golden.lua, written by make_golden.py).

local pl = require "perilune"
local ops = require "perilune.ops"
local case = require "tests.ops.case"
local check = require "tests.ops.check"
local golden = require "tests.ops.golden"

local function tensor(x) return case.tensor(x) end

local function arrays(list)
  return case.each(list, function(x) return x end)
end

-- The half types: a few roundings apart, of numbers around 1 (PyTorch sums some in f16 itself).
local slack = { f32 = 2e-6, bf16 = 2^-7, f16 = 2^-9 }

describe("golden numbers", function()
  local seen = {}
  for _, call in ipairs(golden.ops) do
    seen[call.op] = (seen[call.op] or 0) + 1
    it(("%s %d"):format(call.op, seen[call.op]), function()
      local inputs = case.each(arrays(call.inputs), tensor)
      for i, gradient in ipairs(call.gradients) do
        if gradient then inputs[i]:requires_grad_(true) end
      end
      local y = check.call(ops.by_name[call.op], inputs, call.attributes)
      check.same(case.read(y), call.output, slack[y.dtype] or 2e-6, call.op)
      if not y.requires_grad then return end
      y:backward(tensor(call.cotangent))
      for i, gradient in ipairs(call.gradients) do
        if gradient then
          check.same(case.read(inputs[i].grad), gradient, 2 * (slack[y.dtype] or 2e-6),
            call.op .. " gradient " .. i)
        end
      end
    end)
  end
end)

describe("SGD", function()
  for i, run in ipairs(golden.sgd) do
    it("walks as PyTorch's does, options " .. i, function()
      local p = pl.tensor(run.start):requires_grad_(true)
      local optimizer = pl.optim.SGD({ p }, run.options)
      for k, step in ipairs(run.steps) do
        p.grad = pl.tensor(step.gradient)
        optimizer:step()
        check.same(case.read(p), { shape = { 5 }, data = step.after }, 2e-6, "step " .. k)
      end
    end)
  end
end)

describe("a small classifier", function()
  it("learns as PyTorch's does", function()
    local p = {}
    for i, values in ipairs(golden.mlp.parameters) do p[i] = tensor(values):requires_grad_(true) end
    local optimizer = pl.optim.SGD(p, { lr = 0.05, momentum = 0.9 })
    for k, step in ipairs(golden.mlp.steps) do
      optimizer:zero_grad()
      local h = tensor(step.x):linear(p[1], p[2], { activation = "relu" }):linear(p[3], p[4]):relu()
      local loss = h:linear(p[5], p[6]):cross_entropy(pl.tensor(step.target, { dtype = "i64" }))
      loss:backward()
      optimizer:step()
      check.same(case.read(loss), { shape = {}, data = { step.loss } }, 1e-6, "loss " .. k)
    end
    for i, values in ipairs(golden.mlp.after) do
      check.same(case.read(p[i]), values, 2e-6, "parameter " .. i)
    end
  end)
end)

describe("BatchNorm2d", function()
  it("moves its running statistics as PyTorch's does", function()
    local layer = pl.nn.BatchNorm2d(2, { momentum = 0.3 })
    for k, batch in ipairs(golden.batch_norm.batches) do
      layer(tensor(batch.x))
      local mean, var = case.read(layer.running_mean), case.read(layer.running_var)
      check.same(mean, { shape = { 2 }, data = batch.mean }, 1e-6, "mean " .. k)
      check.same(var, { shape = { 2 }, data = batch.var }, 1e-6, "var " .. k)
    end
  end)
end)

describe("recurrent layer", function()
  for _, g in ipairs(golden.recurrent) do
    it(g.name .. " has PyTorch's parameters, outputs, states and gradients", function()
      local layer = pl.nn[g.name](3, 2, { num_layers = 2, bidirectional = true })
      local names = {}
      for name in layer:named_parameters() do names[#names + 1] = name end
      for i, row in ipairs(g.parameters) do
        assert.equal(row[1], names[i])
        pl.no_grad(function() layer[row[1]]:copy_(tensor(row[2])) end)
      end
      assert.equal(#g.parameters, #names)
      local x, states = tensor(g.x):requires_grad_(true), {}
      for i, t in ipairs(g.states) do states[i] = tensor(t):requires_grad_(true) end
      local y, last = layer(x, #states > 1 and states or states[1])
      if #states == 1 then last = { last } end
      check.same(case.read(y), g.y, 2e-6, "y")
      local loss = (y * y:detach():flip(1)):sum()
      for i, t in ipairs(last) do
        check.same(case.read(t), g.last[i], 2e-6, "state " .. i)
        loss = loss + (t * i):sum()
      end
      loss:backward()
      for _, row in ipairs(g.parameters) do
        check.same(case.read(layer[row[1]].grad), row[3], 1e-5, "gradient of " .. row[1])
      end
      for k, gradient in ipairs(g.gradients) do
        local input = k == 1 and x or states[k - 1]
        check.same(case.read(input.grad), gradient, 1e-5, "gradient " .. k)
      end
    end)
  end
end)

describe("activation", function()
  for _, g in ipairs(golden.activations) do
    it(g.name .. " has PyTorch's values and gradients", function()
      local layer, x = pl.nn[g.name](g.options), tensor(g.x):requires_grad_(true)
      local y = layer(x)
      check.same(case.read(y), g.y, 2e-6, "y")
      y:square():sum():backward()
      check.same(case.read(x.grad), g.gradient, 1e-5, "gradient")
      if g.of_weight then check.same(case.read(layer.weight.grad), g.of_weight, 1e-5, "weight") end
    end)
  end
end)
