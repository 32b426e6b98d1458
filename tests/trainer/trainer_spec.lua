local pl = require "perilune"
local class, nn, optim, data = pl.class, pl.nn, pl.optim, pl.data
local Trainer = pl.Trainer

local function make(options, class_of)
  options.model = options.model or nn.Linear(3, 1)
  options.loss_func = options.loss_func or nn.MSELoss()
  options.optimizer = options.optimizer or optim.SGD(options.model:parameters(), { lr = 0.1 })
  options.callbacks = options.callbacks or {}
  options.quiet = true
  return (class_of or Trainer)(options)
end

local function dataset(n)
  return data.TensorDataset(pl.randn(n, 3), pl.randn(n, 1))
end

-- A loss that is the mean of what the dataset holds, so that epoch means are known.
local Means = class("Means", Trainer)
function Means:calculate_train_batch_loss(batch)
  local weight = self.model.weight
  return { loss = batch[1]:mean() + weight:sum() * 0, batch_size = batch[1]:size(1) }
end
Means.calculate_eval_batch_loss = Means.calculate_train_batch_loss

local function numbers(n)
  local values = {}
  for i = 1, n do values[i] = { i * i } end
  return data.TensorDataset(pl.tensor(values), pl.zeros(n, 1))
end

local function mean_of_squares(n)
  return (n + 1) * (2 * n + 1) / 6
end

local function losses_of(trainer, options)
  local losses = {}
  trainer.callback_handler:add_callback({ on_train_step_end = function(_, _, _, output)
    losses[#losses + 1] = output.loss:item()
  end })
  trainer:train(options)
  return losses
end

local function weights_of(model)
  local values = {}
  for i, p in ipairs(model:parameters()) do values[i] = p:detach():totable() end
  return values
end

describe("Trainer", function()
  it("learns a regression", function()
    pl.manual_seed(3)
    local x = pl.randn(64, 3)
    local y = x:matmul(pl.tensor{ { 1 }, { -2 }, { 0.5 } }) + 3
    local trainer = make{}
    local history = trainer:train{ train_dataset = data.TensorDataset(x, y), num_epochs = 30 }
    assert.is_true(history:get_latest_metric("train_loss_epoch") < 1e-3)
    assert.are.equal(30, #history:get_metric_values("train_loss_epoch"))
    assert.are.equal(30 * 8, trainer.update)
    assert.are.equal(31, history.current_epoch)
  end)

  it("records the sample-weighted mean loss, whatever the accumulation", function()
    for _, accumulation in ipairs{ 1, 2, 4 } do
      local trainer = make({}, Means)
      local history = trainer:train{
        train_dataset = numbers(11), eval_dataset = numbers(7), num_epochs = 1,
        per_device_batch_size = 4, gradient_accumulation_steps = accumulation,
      }
      assert.is_near(mean_of_squares(11), history:get_latest_metric("train_loss_epoch"), 1e-4)
      assert.is_near(mean_of_squares(7), history:get_latest_metric("eval_loss_epoch"), 1e-4)
    end
  end)

  it("reads its losses at least every hundred updates, and loses none", function()
    local trainer = make({}, Means)
    local history = trainer:train{
      train_dataset = numbers(257), num_epochs = 1, per_device_batch_size = 1,
    }
    assert.is_near(mean_of_squares(257), history:get_latest_metric("train_loss_epoch"), 1e-2)
  end)

  it("makes the same update of accumulated batches as of one large batch", function()
    local set = dataset(8)
    local results = {}
    for i, options in ipairs{
      { per_device_batch_size = 8 },
      { per_device_batch_size = 2, gradient_accumulation_steps = 4 },
      { per_device_batch_size = 2, gradient_accumulation_steps = 100 },
    } do
      pl.manual_seed(5)
      local trainer = make{}
      options.train_dataset, options.num_epochs = set, 1
      trainer:train(options)
      assert.are.equal(1, trainer.update)
      results[i] = trainer.model.weight:detach()
    end
    for i = 2, 3 do
      assert.is_true((results[1] - results[i]):abs():max():item() < 1e-6)
    end
  end)

  it("leaves every module in the mode an evaluation found it in", function()
    local model = nn.Sequential{ nn.Linear(3, 4), nn.Dropout{ p = 0.5 }, nn.Linear(4, 1) }
    local modes = {}
    local trainer = make{ model = model, callbacks = { {
      on_eval_step_start = function() modes[#modes + 1] = model.training end,
      on_eval_epoch_end = function() modes[#modes + 1] = model.training end,
      on_training_run_epoch_end = function() modes[#modes + 1] = model.training end,
    } } }
    trainer:train{ train_dataset = dataset(8), eval_dataset = dataset(8), num_epochs = 1 }
    assert.are.same({ false, false, true }, modes)
    model[2]:eval()
    trainer:evaluate{ dataset = dataset(8) }
    assert.is_true(model.training)
    assert.is_false(model[2].training)
    assert.is_true(model[3].training)
  end)

  it("does so after an error too", function()
    local trainer = make{ callbacks = { { on_eval_step_end = function() error("x") end } } }
    assert.is_false(pcall(trainer.evaluate, trainer, { dataset = dataset(8) }))
    assert.is_true(trainer.model.training)
  end)

  it("records no gradients in evaluation", function()
    local trainer = make{ callbacks = { { on_eval_step_end = function(_, _, _, output)
      assert.is_false(output.loss.requires_grad)
    end } } }
    trainer:evaluate{ dataset = dataset(8) }
  end)

  it("clips once per update, by value or by norm", function()
    local Counting = class("Counting", Trainer)
    local clips, before, grads = 0, {}, {}
    function Counting:clip_gradients()
      clips = clips + 1
      before[clips] = self.model.weight.grad:item()
      Trainer.clip_gradients(self)
      grads[#grads + 1] = self.model.weight.grad:clone():detach():keep()
    end
    local options = { train_dataset = numbers(8), num_epochs = 1, per_device_batch_size = 2,
      gradient_accumulation_steps = 2, gradient_clip_value = 0.25 }
    local model = nn.Linear(1, 1)
    local trainer = make({ model = model }, Counting)
    trainer:train(options)
    assert.are.equal(2, clips)
    assert.is_near(0.25, math.abs(grads[1]:item()), 1e-6)
    options.gradient_clip_value, options.gradient_clip_norm = nil, 0.5
    local norm
    trainer.callback_handler:add_callback({ on_optimizer_step_end = function(_, t)
      norm = t.gradient_norm:item()
    end })
    trainer:train(options)
    assert.is_true(math.abs(grads[3]:item()) < 0.5)
    assert.is_true(math.abs(grads[3]:item()) > 0.25)
    assert.is_true(norm > 0.5)
    options.gradient_clip_norm = 1e6
    trainer:train(options)
    assert.are.equal(before[5], grads[5]:item())   -- smaller ones are not made larger
  end)

  it("steps the scheduler once per update", function()
    local rates, given = {}, nil
    local trainer = make{}
    trainer:train{
      train_dataset = dataset(8), num_epochs = 2, per_device_batch_size = 2,
      gradient_accumulation_steps = 2,
      create_scheduler_fn = function(optimizer, config)
        given = config.num_update_steps_per_epoch
        return { step = function()
          optimizer.param_groups[1].lr = optimizer.param_groups[1].lr / 2
          rates[#rates + 1] = optimizer.param_groups[1].lr
        end }
      end,
    }
    assert.are.equal(2, given)
    assert.are.same({ 0.05, 0.025, 0.0125, 0.00625 }, rates)
  end)

  it("counts max_updates, ends the epoch there and evaluates", function()
    local evaluations = 0
    local trainer = make{ callbacks = { { on_eval_epoch_end = function()
      evaluations = evaluations + 1
    end } } }
    local run = { train_dataset = dataset(10), eval_dataset = dataset(4), max_updates = 7,
      per_device_batch_size = 2 }
    trainer:train(run)
    assert.are.equal(7, trainer.update)
    assert.are.equal(2, evaluations)
    run.reset_run_history = false
    trainer:train(run)
    assert.are.equal(14, trainer.update)
    assert.are.equal(4, #trainer.run_history:get_metric_values("train_loss_epoch"))
    run.num_epochs, run.reset_run_history = 1, nil
    trainer:train(run)
    assert.are.equal(5, trainer.update)
  end)

  it("answers what evaluate measured, and keeps the history", function()
    local trainer = make({}, Means)
    trainer:train{ train_dataset = numbers(4), num_epochs = 1 }
    local result = trainer:evaluate{ dataset = numbers(5), per_device_batch_size = 2 }
    assert.is_near(mean_of_squares(5), result.evaluation_loss, 1e-4)
    assert.are.same({ "train_loss_epoch", "evaluation_loss" },
      trainer.run_history:get_metric_names())
  end)

  it("describes the run in run_config", function()
    local trainer = make{ seed = 9 }
    trainer:train{ train_dataset = dataset(10), eval_dataset = dataset(4), num_epochs = 2,
      per_device_batch_size = 2, gradient_accumulation_steps = 2,
      eval_dataloader_kwargs = { batch_size = 4 } }
    local config = trainer.run_config
    assert.are.equal(2, config.num_epochs)
    assert.are.equal(3, config.num_update_steps_per_epoch)
    assert.are.equal(6, config.max_updates)
    assert.are.equal(4, config.train_total_batch_size)
    assert.are.equal(4, config.eval_per_device_batch_size)
    assert.are.equal(9, config.seed)
    assert.are.equal(1, config.num_processes)
  end)

  it("passes what the loss calculation returns through untouched", function()
    local Extra = class("Extra", Trainer)
    function Extra:calculate_train_batch_loss(batch)
      local output = Trainer.calculate_train_batch_loss(self, batch)
      output.extra = "kept"
      return output
    end
    local seen
    local trainer = make({ callbacks = { { on_train_step_end = function(_, _, _, o)
      seen = o.extra
    end } } }, Extra)
    trainer:train{ train_dataset = dataset(8), num_epochs = 1 }
    assert.are.equal("kept", seen)
  end)

  it("calls no hook that nobody defines", function()
    local trainer = make{ callbacks = { pl.callbacks.TrainerCallback } }
    trainer:train{ train_dataset = dataset(8), num_epochs = 1 }
    assert.is_nil(next(trainer.callback_handler.hooks))
    -- A callback that counts who asks it for a hook: in the steps nobody does.
    local asked, first = 0, nil
    local counting = setmetatable({}, { __index = function() asked = asked + 1 end })
    trainer = make{ callbacks = { counting, {
      on_train_epoch_start = function() first = asked end,
      on_train_epoch_end = function() assert.are.equal(first, asked) end } } }
    trainer:train{ train_dataset = dataset(8), num_epochs = 2 }
    assert.is_true(first > 0)
  end)

  it("has pytorch-accelerated's default callbacks", function()
    local names = {}
    for i, callback in ipairs(pl.callbacks.get_default_callbacks()) do
      names[i] = class.name_of(callback)
    end
    assert.are.same({ "MoveModulesToDeviceCallback", "TerminateOnNaNCallback",
      "PrintProgressCallback", "ProgressBarCallback", "LogMetricsCallback" }, names)
    assert.are.equal(4, #pl.callbacks.get_default_callbacks(false))
  end)
end)

describe("Trainer with a seed", function()
  -- `burn` numbers of math.random are used up in every step.
  local function losses(seed, threads, burn)
    pl.engine.set_threads(threads or 1)
    pl.manual_seed(seed)
    local model = nn.Sequential{ nn.Linear(20, 64), nn.ReLU(), nn.Dropout{ p = 0.2 }, nn.Linear(64,
      5) }
    local targets = {}
    for i = 1, 96 do targets[i] = i % 5 + 1 end
    local set = data.TensorDataset(pl.randn(96, 20), pl.tensor(targets, { dtype = "i64" }))
    local noise = {}
    local trainer = make{ model = model, loss_func = nn.CrossEntropyLoss(),
      callbacks = { { on_train_step_start = function()
        noise[#noise + 1] = math.random()
        for _ = 1, burn or 0 do math.random() end
      end } } }
    local found = losses_of(trainer,
      { train_dataset = set, num_epochs = 2, per_device_batch_size = 16 })
    return found, noise, weights_of(model)
  end

  after_each(function() pl.engine.set_threads(1) end)

  it("gives bitwise the same losses, weights and math.random", function()
    local a, noise_a, weights_a = losses(7)
    local b, noise_b, weights_b = losses(7, 1, 3)
    assert.are.same(a, b)
    assert.are.same(noise_a, noise_b)
    assert.are.same(weights_a, weights_b)
    local c, noise_c = losses(8)
    assert.are_not.same(a, c)
    assert.are_not.same(noise_a, noise_c)
  end)

  it("gives them with two threads too", function()
    local a, _, weights_a = losses(7, 1)
    local b, _, weights_b = losses(7, 2)
    assert.are.same(a, b)
    assert.are.same(weights_a, weights_b)
  end)
end)

describe("Trainer refuses", function()
  local function message(f, ...)
    local ok, err = pcall(f, ...)
    assert.is_false(ok)
    assert.truthy(type(err) == "table" and err.kind, tostring(err))
    return err.message, err
  end

  it("bad options, with did you mean", function()
    assert.truthy(message(make, { modle = 1 }):find("unknown option 'modle'", 1, true))
    local trainer = make{}
    for text, options in pairs{
      ["'per_device_batch_size' must be an integer >= 1, got 0"] = { per_device_batch_size = 0 },
      ["'per_device_batch_size' must be an integer >= 1, got -4"] = { per_device_batch_size = -4 },
      ["unknown option 'num_epoch' (did you mean 'num_epochs'?)"] = { num_epoch = 3 },
      ["give num_epochs, max_updates or both"] = {},
    } do
      options.train_dataset = dataset(4)
      local got = message(trainer.train, trainer, options)
      assert.truthy(got:find(text, 1, true), got)
    end
    assert.truthy(message(trainer.train, trainer, { num_epochs = 1 })
      :find("'train_dataset' is required", 1, true))
  end)

  it("to train without optimizer or loss", function()
    local trainer = Trainer{ model = nn.Linear(3, 1), quiet = true }
    local run = { train_dataset = dataset(4), num_epochs = 1 }
    assert.truthy(message(trainer.train, trainer, run):find("no optimizer", 1, true))
    trainer.optimizer = optim.SGD(trainer.model:parameters(), { lr = 0.1 })
    assert.truthy(message(trainer.train, trainer, run):find("no loss_func", 1, true))
  end)

  it("an output without loss", function()
    local Bad = class("Bad", Trainer)
    function Bad.calculate_train_batch_loss(_, batch) return batch[1]:mean() end
    local trainer = make({}, Bad)
    assert.truthy(message(trainer.train, trainer, { train_dataset = dataset(4), num_epochs = 1 })
      :find("must return { loss =", 1, true))
  end)

  it("to start a run within a run", function()
    local trainer
    trainer = make{ callbacks = { { on_train_step_end = function(_, t)
      t:evaluate{ dataset = dataset(4) }
    end } } }
    assert.truthy(message(trainer.train, trainer, { train_dataset = dataset(4), num_epochs = 1 })
      :find("in the middle of a run", 1, true))
  end)
end)

describe("A loss that is not finite", function()
  local function make_exploding(bad, callbacks)
    local Exploding = class("Exploding", Trainer)
    function Exploding:calculate_train_batch_loss(batch)
      local output = Trainer.calculate_train_batch_loss(self, batch)
      if self.update == 150 then output.loss = output.loss * bad end
      return output
    end
    return make({ callbacks = callbacks,
      optimizer = optim.SGD({ pl.zeros(1):requires_grad_(true) }, { lr = 0.1 }) }, Exploding)
  end
  local run = { train_dataset = dataset(200), num_epochs = 3, per_device_batch_size = 2 }

  it("ends the run and names epoch and update", function()
    for text, bad in pairs{ NaN = 0 / 0, inf = math.huge } do
      local trainer = make_exploding(bad, { pl.callbacks.TerminateOnNaNCallback })
      local ok, err = pcall(trainer.train, trainer, run)
      assert.is_false(ok)
      local where = ("the loss is %s at epoch 2, update 150 (batch 50 of the epoch)"):format(text)
      assert.truthy(err.message:find(where, 1, true), err.message)
      assert.is_true(trainer.update <= 250)
      assert.are.equal("failed", trainer.state)
    end
  end)

  it("is traced to the op that made it first, when asked", function()
    local Faulty = class("Faulty", nn.Module)
    function Faulty:forward(x)
      self.calls = (self.calls or 0) + 1
      return self.calls == 3 and (-x:abs()):log() or x
    end
    local function explode(detect_anomaly)
      local trainer = make{ detect_anomaly = detect_anomaly,
        model = nn.Sequential{ nn.Linear(3, 4), Faulty(), nn.Linear(4, 1) } }
      return pcall(trainer.train, trainer, run)
    end
    local ok, err = explode(true)
    assert.is_false(ok)
    assert.are.same({ "log", 1, 3 }, { err.op, err.epoch, err.update })
    assert.truthy(err.message:find("^detect_anomaly %(epoch 1, update 3%): Faulty '2'"),
      err.message)
    assert.is_true(explode(false))
  end)

  it("does not end a run without that callback, but others hear of it", function()
    local heard = {}
    local trainer = make_exploding(0 / 0, { { on_non_finite_loss = function(_, _, loss, update)
      heard[#heard + 1] = { loss ~= loss, update }
    end } })
    trainer:train(run)
    assert.are.same({ { true, 150 } }, heard)
  end)
end)
