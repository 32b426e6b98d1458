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
      check.same(case.read(y), call.output, 2e-6, call.op)
      if not y.requires_grad then return end
      y:backward(tensor(call.cotangent))
      for i, gradient in ipairs(call.gradients) do
        if gradient then
          check.same(case.read(inputs[i].grad), gradient, 4e-6, call.op .. " gradient " .. i)
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
      check.same(case.read(layer.running_mean), { shape = { 2 }, data = batch.mean }, 1e-6, "mean " .. k)
      check.same(case.read(layer.running_var), { shape = { 2 }, data = batch.var }, 1e-6, "var " .. k)
    end
  end)
end)
