-- Options by position: the orders in which PyTorch's users write them.

local pl = require "perilune"
local nn, optim, schedulers = pl.nn, pl.optim, pl.schedulers

local function text(module) return tostring(module) end

local function sgd() return optim.SGD({ pl.zeros(1, { requires_grad = true }) }, 0.5, 0.9) end

describe("Options by position", function()
  it("of layers are PyTorch's", function()
    assert.equal("Dropout(p=0.2)", text(nn.Dropout(0.2)))
    assert.equal("LeakyReLU(negative_slope=0.1)", text(nn.LeakyReLU(0.1)))
    assert.equal("Softmax(dim=2)", text(nn.Softmax(2)))
    assert.equal("PReLU(num_parameters=4)", text(nn.PReLU(4)))
    assert.equal(-2, nn.Hardtanh(-2, 3).min_val)
    assert.equal(3, nn.Hardtanh(-2, 3).max_val)
    assert.same({ 2, 3, 20 }, nn.Flatten(3)(pl.zeros(2, 3, 4, 5)).shape)
    assert.is_nil(nn.Linear(4, 3, false).bias)
    assert.equal(text(nn.Conv2d(3, 8, 3, { stride = 2, padding = 1 })),
      text(nn.Conv2d(3, 8, 3, 2, 1)))
    assert.same({ 1, 2, 7, 7 }, nn.ConvTranspose2d(1, 2, 3, 2)(pl.zeros(1, 1, 3, 3)).shape)
    assert.equal(1, nn.MaxPool2d(3, 1).stride)
    assert.equal(1, nn.AvgPool2d(3, { stride = 1 }).stride)
    assert.equal(1e-3, nn.BatchNorm2d(4, 1e-3).eps)
    assert.equal(0.2, nn.BatchNorm1d(4, 1e-3, 0.2).momentum)
    assert.equal(1e-3, nn.LayerNorm(4, 1e-3).eps)
    assert.equal(2, nn.Embedding(10, 4, 2).padding_idx)
    assert.equal(2, nn.LSTM(3, 4, 2).num_layers)
    assert.equal(2, nn.RNN(3, 4, 2).num_layers)
  end)

  it("of losses lead with their number or weight", function()
    assert.same({ 1, 2 }, nn.CrossEntropyLoss(pl.tensor{ 1, 2 }).weight:totable())
    assert.equal("sum", nn.MSELoss("sum").reduction)
    assert.equal(0.5, nn.HuberLoss(0.5).delta)
    assert.equal(0, nn.functional.dropout(pl.ones(3), 1):sum():item())
    assert.equal(-2, nn.functional.hardtanh(pl.full({ 1 }, -3), -2, 2):item())
  end)

  it("of optimizers and schedulers are PyTorch's", function()
    local optimizer = sgd()
    assert.equal(0.5, optimizer.param_groups[1].lr)
    assert.equal(0.9, optimizer.param_groups[1].momentum)
    assert.equal(1e-4, optim.AdamW({ pl.zeros(1) }, 1e-4).param_groups[1].lr)
    local step = schedulers.StepLR(sgd(), 1, 0.5)
    step:step()
    assert.same({ 0.25 }, step:get_last_lr())
    assert.same({ 0.25 }, schedulers.LinearLR(sgd(), 0.5):get_last_lr())
    assert.same({ 0.25 }, schedulers.ConstantLR(sgd(), 0.5):get_last_lr())
    local milestones = schedulers.MultiStepLR(sgd(), { 1 }, 0.5)
    milestones:step()
    assert.same({ 0.25 }, milestones:get_last_lr())
    assert.equal(100, schedulers.OneCycleLR(sgd(), 0.1, 100).total_steps)
    assert.equal(100, schedulers.OneCycleLR(sgd(), { max_lr = 0.1, total_steps = 100 }).total_steps)
  end)

  it("leave alone what is always named", function()
    local scheduler = schedulers.StepLR(sgd(), 1, { param_group_field = "momentum" })
    assert.equal("momentum", scheduler.param_group_field)
    local ok, e = pcall(schedulers.StepLR, sgd(), 1, 0.5, "momentum")
    assert.is_false(ok)
    assert.truthy(tostring(e):find("argument 4 is too much", 1, true))
  end)

  it("nn.functional names what was meant", function()
    local ok, e = pcall(function() return nn.functional.sofmax end)
    assert.is_false(ok)
    assert.truthy(tostring(e):find("did you mean 'softmax'?", 1, true))
  end)
end)
