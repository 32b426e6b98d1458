local pl = require "perilune"
local nn = pl.nn

local function message(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "expected an error")
  return e.message
end

local function make_model()
  local model = nn.Linear(2, 1)
  model.mean = nn.Buffer(pl.zeros(2))
  model.seen = nn.Buffer(pl.zeros({ 1 }, { dtype = "i64" }))
  return model
end

local function near(expected, got)
  assert.is_true(math.abs(expected - got) < 1e-6, ("got %.9g, expected %.9g"):format(got, expected))
end

describe("ModelEma", function()
  it("averages parameters and floating buffers, and copies the rest", function()
    local model = make_model()
    local ema = pl.ModelEma(model, { decay = 0.75 })
    local before = model.weight:totable()[1][1]
    pl.no_grad(function()
      model.weight:add_(4)
      model.mean:fill_(8)
      model.seen:fill_(5)
    end)
    ema:update(model)
    near(before + 1, ema.module.weight:totable()[1][1])
    assert.are.same({ 2, 2 }, ema.module.mean:totable())
    assert.are.same({ 5 }, ema.module.seen:totable())
    ema:update(model)
    near(before + 1.75, ema.module.weight:totable()[1][1])
    near(before + 4, model.weight:totable()[1][1])
    assert.are.equal(2, ema.num_updates)
  end)

  it("is a copy that is evaluated and needs no gradient", function()
    local model = make_model()
    local ema = pl.ModelEma(model)
    assert.are.equal(0.9999, ema.decay)
    assert.is_false(ema.module.training)
    assert.is_true(model.training)
    assert.is_false(ema.module.weight.requires_grad)
    assert.is_true(model.weight.requires_grad)
  end)

  it("starts again from the model", function()
    local model = make_model()
    local ema = pl.ModelEma(model, { decay = 0.5 })
    pl.no_grad(function() model.weight:fill_(3) end)
    ema:set(model)
    assert.are.same({ { 3, 3 } }, ema.module.weight:totable())
  end)

  it("takes another formula from a subclass", function()
    local Largest = pl.class("Largest", pl.ModelEma)
    function Largest:update_fn(average, new) -- luacheck: no self
      return average:maximum(new)
    end
    local model = make_model()
    local ema = Largest(model)
    pl.no_grad(function() model.weight:fill_(100) end)
    ema:update(model)
    pl.no_grad(function() model.weight:fill_(-100) end)
    ema:update(model)
    assert.are.same({ { 100, 100 } }, ema.module.weight:totable())
  end)

  it("takes the model's place for an evaluation, and optimizers stay right", function()
    local model = make_model()
    local optimizer = pl.optim.Adam(model:parameters(), { lr = 0.5 })
    local ema = pl.ModelEma(model, { decay = 0.5 })
    local start = model.weight:totable()
    model(pl.ones(1, 2)):sum():backward()
    optimizer:step()
    ema:update(model)
    local trained, average = model.weight:totable(), ema.module.weight:totable()
    assert.are_not.same(trained, average)
    local result = ema:average_weights(model, function(x)
      assert.are.same(average, model.weight:totable())
      assert.are.same(trained, ema.module.weight:totable())
      return x
    end, 7)
    assert.are.equal(7, result)
    assert.are.same(trained, model.weight:totable())
    assert.are.same(average, ema.module.weight:totable())
    optimizer:step()
    near(start[1][1] - 1, model.weight:totable()[1][1])
    assert.are.same(average, ema.module.weight:totable())
  end)

  it("gives the model its own values back after an error", function()
    local model = make_model()
    local ema = pl.ModelEma(model, { decay = 0.5 })
    pl.no_grad(function() model.weight:fill_(3) end)
    assert.truthy(message(ema.average_weights, ema, model, function() error "oh" end)
      :find("oh", 1, true))
    assert.are.same({ { 3, 3 } }, model.weight:totable())
    assert.is_nil(ema.swapped_with)
  end)

  it("refuses to move while it is in the model's place, and other models", function()
    local model = make_model()
    local ema = pl.ModelEma(model)
    ema:swap(model)
    assert.truthy(message(ema.update, ema, model):find("swap back first", 1, true))
    assert.truthy(message(ema.swap, ema, make_model()):find("another model's place", 1, true))
    ema:swap(model)
    assert.are.equal("ModelEma: the model has 2 parameters and buffers, its average 4",
      message(ema.update, ema, nn.Linear(2, 1)))
    local other = make_model()
    other.weight = nn.Parameter(pl.zeros(1, 3))
    assert.are.equal("ModelEma: tensor 1 of the model is f32 1x3, its average f32 1x2",
      message(ema.update, ema, other))
  end)

  it("goes on from its state", function()
    local model = make_model()
    local ema = pl.ModelEma(model, { decay = 0.5 })
    pl.no_grad(function() model.weight:fill_(3) end)
    ema:update(model)
    local other = pl.ModelEma(make_model())
    other:load_state_dict(ema:state_dict())
    ema:update(model)
    other:update(model)
    assert.are.same(ema.module.weight:totable(), other.module.weight:totable())
    assert.are.equal(2, other.num_updates)
    assert.are.equal(0.5, other.decay)
  end)

  it("follows the updates of a Trainer", function()
    local model = nn.Linear(2, 1)
    local ema = pl.ModelEma(model, { decay = 0.5 })
    local data = pl.data.TensorDataset(pl.rand(8, 2), pl.rand(8, 1))
    local weights = { (model.weight:totable()) }
    local trainer = pl.Trainer { model = model, quiet = true, loss_func = nn.MSELoss(),
      optimizer = pl.optim.SGD(model:parameters(), { lr = 0.1 }), callbacks = { { name = "ema",
        on_optimizer_step_end = function(_, t)
          ema:update(t.model)
          weights[#weights + 1] = t.model.weight:totable()
        end } } }
    trainer:train { train_dataset = data, num_epochs = 2, per_device_batch_size = 4 }
    local average = weights[1][1][1]
    for i = 2, #weights do average = 0.5 * average + 0.5 * weights[i][1][1] end
    assert.are.equal(5, #weights)
    near(average, ema.module.weight:totable()[1][1])
  end)
end)
