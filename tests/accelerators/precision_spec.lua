-- The precisions of the Trainer that compute in half types: what they train, what stays f32, how
-- losses are scaled, and that a run goes on exactly where it ended.

package.path = "./tests/host/?.lua;" .. package.path
local pl = require "perilune"
local context = require "perilune.context"
local process = require "process"
local class, data, nn, optim = pl.class, pl.data, pl.nn, pl.optim

--- Images of three classes: noise, brighter in one third.
local function images(n)
  pl.manual_seed(5)
  local x, target = pl.randn(n, 1, 9, 9), pl.randint(1, 3, { n })
  for k = 1, 3 do
    local lit = target:eq(k):to("f32"):reshape(n, 1, 1, 1)
    x:narrow{ axis = 3, start = 3 * k - 2, length = 3 }:add_(lit * 1.5)
  end
  return data.TensorDataset(x, target)
end

local function convnet()
  return nn.Sequential{ nn.Conv2d(1, 8, 3, { padding = 1 }), nn.BatchNorm2d(8), nn.ReLU(),
    nn.MaxPool2d(3), nn.Flatten(), nn.Linear(72, 16), nn.ReLU(), nn.Linear(16, 3) }
end

local function make(precision, options)
  pl.manual_seed(7)
  local model = convnet()
  local o = { model = model, loss_func = nn.CrossEntropyLoss(), callbacks = {}, quiet = true,
    metrics = { "accuracy" }, precision = precision,
    optimizer = optim.SGD(model:parameters(), { lr = 0.05, momentum = 0.9 }) }
  for name, value in pairs(options or {}) do o[name] = value end
  return pl.Trainer(o)
end

local function train(trainer, epochs, options)
  local o = { train_dataset = images(192), num_epochs = epochs or 1, per_device_batch_size = 32 }
  for name, value in pairs(options or {}) do o[name] = value end
  trainer:train(o)
end

--- All values of the model, as one flat list.
local function weights(trainer)
  local all = {}
  for _, p in ipairs(trainer.model:parameters()) do
    for _, v in ipairs(p:detach():to("f32"):flatten():totable()) do all[#all + 1] = v end
  end
  return all
end

--- A loss function whose gradients are `factor` times as large in the updates that `when` names.
local function exploding(trainer, when, factor)
  local loss_func = nn.CrossEntropyLoss()
  return function(output, target)
    local loss = loss_func(output, target)
    return when[trainer().update] and loss * factor or loss
  end
end

--- A callback that saves a state after an update, in a folder named after it.
local function saver(update, folder)
  return { on_train_step_end = function(_, trainer)
    if trainer.update == update then
      trainer:save_training_state(("%s/%d"):format(folder, update))
    end
  end }
end

describe("precision", function()
  for name, dtype in pairs{ ["32"] = "f32", ["bf16-mixed"] = "f32", ["16-mixed"] = "f32",
    bf16 = "bf16", ["16"] = "f16" } do
    it(name .. " trains a convnet", function()
      local trainer = make(name, { eval_dataset = nil })
      train(trainer, 5, { eval_dataset = images(192) })
      local accuracy = trainer.run_history:get_latest_metric("eval_accuracy")
      assert.is_true(accuracy > 0.9, tostring(accuracy))
      assert.equal(dtype, trainer.model[1].weight.dtype)
      assert.equal(dtype, trainer.optimizer.param_groups[1].params[1].dtype)
    end)
  end

  it("mixed computes in the half type and gives f32 gradients", function()
    for name, half in pairs{ ["bf16-mixed"] = "bf16", ["16-mixed"] = "f16" } do
      local seen = {}
      local trainer = make(name, { callbacks = { {
        on_train_batch_loss = function(_, _, batch, output)
          seen.batch, seen.output = batch[1].dtype, output.model_outputs.dtype
          seen.loss = output.loss.dtype
        end,
        on_backward_end = function(_, t) seen.grad = t.model[1].weight.grad.dtype end,
      } } })
      train(trainer)
      assert.same({ batch = "f32", output = half, loss = "f32", grad = "f32" }, seen)
      assert.equal(half, trainer.run_config.mixed_precision)
      assert.is_nil(context.autocast_dtype())
    end
  end)

  it("bf16 converts batches too", function()
    local seen
    local trainer = make("bf16-true", { callbacks = { {
      on_train_step_start = function(_, _, batch) seen = { batch[1].dtype, batch[2].dtype } end,
    } } })
    train(trainer)
    assert.same({ "bf16", "i64" }, seen)
    assert.equal("no", trainer.run_config.mixed_precision)
  end)

  it("16-mixed leaves out updates whose gradients are infinite", function()
    local trainer, steps, moved = nil, 0, {}
    trainer = make("16-mixed", {
      loss_func = exploding(function() return trainer end, { [2] = true, [3] = true }, 1e30),
      callbacks = { { on_optimizer_step_end = function(_, t)
        local now = t.model[6].weight:detach():sum():item()
        moved[#moved + 1], t.before = now ~= t.before, now
      end } },
    })
    train(trainer, 1, { create_scheduler_fn = function()
      return { step = function() steps = steps + 1 end }
    end })
    local scaler = trainer.strategy.precision.scaler
    assert.same({ true, false, false, true, true, true }, moved)
    assert.equal(6, trainer.update)
    assert.equal(4, steps)
    assert.equal(2, scaler.skipped_updates)
    assert.equal(65536 / 4, scaler:get_scale())
  end)

  it("16-mixed steps several optimizers with gradients divided once", function()
    local Turns = class("Turns", pl.Trainer)
    function Turns:optimizer_step()
      self.strategy:optimizer_step(self.optimizer[1])
      return self.strategy:optimizer_step(self.optimizer[2])
    end
    pl.manual_seed(7)
    local model = convnet()
    local all = model:parameters()
    local last = table.remove(all)
    local trainer = Turns{ model = model, loss_func = nn.CrossEntropyLoss(), precision = "16-mixed",
      callbacks = {}, quiet = true,
      optimizer = { optim.SGD(all, { lr = 0.05, momentum = 0.9 }),
        optim.SGD({ last }, { lr = 0.05, momentum = 0.9 }) } }
    train(trainer)
    local together = make("16-mixed")
    train(together)
    assert.same(weights(together), weights(trainer))
  end)

  it("16-mixed shows and clips gradients without the scale", function()
    local norms = {}
    for i, name in ipairs{ "32", "16-mixed" } do
      local trainer = make(name, { callbacks = { { on_optimizer_step_end = function(_, t)
        norms[i] = norms[i] or t.gradient_norm:item()
      end } } })
      train(trainer, 1, { gradient_clip_norm = 1e-3 })
    end
    assert.is_true(math.abs(norms[2] / norms[1] - 1) < 0.02, norms[1] .. " " .. norms[2])
  end)

  it("16-mixed takes a scaler of one's own", function()
    local Scaled = pl.precisions:class_of("16-mixed")
    local scaler = pl.GradScaler{ init_scale = 8, growth_interval = 2, growth_factor = 4 }
    train(make(Scaled{ scaler = scaler }))
    assert.equal(8 * 4 ^ 3, scaler:get_scale())
  end)

  for _, name in ipairs{ "bf16-mixed", "16-mixed", "bf16" } do
    it(name .. " goes on exactly where a state was saved", function()
      local pipe = io.popen("mktemp -d")
      local folder = pipe:read("*l")
      pipe:close()
      finally(function() process.remove(folder) end)
      local explode = { [3] = true }
      local function run(options, resume_from)
        local trainer
        options = options or {}
        options.loss_func = exploding(function() return trainer end, explode, 1e30)
        if name ~= "16-mixed" then options.loss_func = nil end
        trainer = make(name, options)
        train(trainer, 2, { resume_from = resume_from })
        return trainer
      end
      local straight = run{ callbacks = { saver(4, folder) } }
      local resumed = run(nil, folder .. "/4")
      assert.same(weights(straight), weights(resumed))
      local scaler = resumed.strategy.precision.scaler
      if scaler then
        assert.equal(1, scaler.skipped_updates)
        assert.same(straight.strategy.precision.scaler:state_dict(), scaler:state_dict())
      end
    end)
  end

  it("16-mixed says that a state of another precision has no scale", function()
    local pipe = io.popen("mktemp -d")
    local folder = pipe:read("*l")
    pipe:close()
    finally(function() process.remove(folder) end)
    train(make("32", { callbacks = { saver(4, folder) } }))
    assert.same({ "the state has nothing for the precision" },
      make("16-mixed"):load_training_state(folder .. "/4"))
  end)
end)

describe("GradScaler", function()
  it("scales, divides once, skips and adapts as PyTorch's does", function()
    local w = pl.ones(2):requires_grad_(true)
    local optimizer = optim.SGD({ w }, { lr = 1 })
    local scaler = pl.GradScaler{ growth_interval = 2 }
    assert.equal(65536, scaler:get_scale())
    for _ = 1, 2 do
      optimizer:zero_grad()
      scaler:scale((w * 0.25):sum()):backward()
      assert.equal(0.25 * 65536, w.grad:max():item())
      scaler:unscale_(optimizer)
      scaler:unscale_(optimizer)
      assert.equal(0.25, w.grad:max():item())
      assert.is_true(scaler:step(optimizer))
      scaler:update()
    end
    assert.same({ 0.5, 0.5 }, w:totable())
    assert.equal(131072, scaler:get_scale())
    for _, bad in ipairs{ 1 / 0, 0 / 0 } do
      w.grad = pl.tensor{ 1, bad }
      assert.is_false(scaler:step(optimizer))
      scaler:update()
    end
    assert.same({ 0.5, 0.5 }, w:totable())
    assert.equal(32768, scaler:get_scale())
    assert.equal(2, scaler.skipped_updates)
    local other = pl.GradScaler()
    other:load_state_dict(scaler:state_dict())
    assert.same(scaler:state_dict(), other:state_dict())
  end)

  it("judges each optimizer, and the scale by all of them", function()
    local a, b = pl.ones(1):requires_grad_(true), pl.ones(1):requires_grad_(true)
    local first, second = optim.SGD({ a }, { lr = 1 }), optim.SGD({ b }, { lr = 1 })
    local scaler = pl.GradScaler{ init_scale = 4 }
    a.grad, b.grad = pl.tensor{ 1 / 0 }, pl.tensor{ 2 }
    assert.is_false(scaler:step(first))
    assert.is_true(scaler:step(second))
    scaler:update()
    assert.equal(1, a:item())
    assert.equal(0.5, b:item())
    assert.equal(2, scaler:get_scale())
  end)

  it("refuses a factor that would not adapt it", function()
    local ok, err = pcall(pl.GradScaler, { backoff_factor = 2 })
    assert.is_false(ok)
    assert.equal("argument", err.kind)
    assert.truthy(err.message:find("backoff_factor", 1, true))
  end)
end)
