-- Callbacks that measure a run, or print what it is made of.
local pl = require "perilune"
local class, nn, optim, data, callbacks = pl.class, pl.nn, pl.optim, pl.data, pl.callbacks
local clock = require("perilune.engine").clock
local Trainer = pl.Trainer

local function set(n)
  return data.TensorDataset(pl.randn(n, 2), pl.randn(n, 1))
end

local function make(list, options)
  options = options or {}
  options.model = options.model or nn.Linear(2, 1)
  options.loss_func, options.callbacks, options.quiet = nn.MSELoss(), list, true
  options.optimizer = options.optimizer or optim.SGD(options.model:parameters(), { lr = 0.1 })
  return Trainer(options)
end

local function busy_wait(seconds)
  local over = clock() + seconds
  while clock() < over do end
end

local run = { train_dataset = set(16), num_epochs = 1, per_device_batch_size = 2,
  log_every = { updates = 2 } }

describe("LearningRateMonitor", function()
  local function halving(optimizer)
    return { step = function()
      optimizer.param_groups[1].lr = optimizer.param_groups[1].lr / 2
    end }
  end

  it("logs the rate that an update is made with", function()
    local trainer = make{ callbacks.LearningRateMonitor }
    local history = trainer:train{ train_dataset = set(8), num_epochs = 1,
      per_device_batch_size = 2, log_every = { updates = 1 }, create_scheduler_fn = halving }
    assert.are.same({ 0.1, 0.05, 0.025, 0.0125 }, history:get_metric_values("lr"))
  end)

  it("names groups and other fields", function()
    local model = nn.Linear(2, 1)
    local optimizer = optim.SGD{ lr = 0.1, momentum = 0.5, params = {
      { params = { model.weight } }, { params = { model.bias }, lr = 0.2, momentum = 0.9 } } }
    local monitor = callbacks.LearningRateMonitor{ fields = { "lr", "momentum", "absent" } }
    local trainer = make({ monitor }, { model = model, optimizer = optimizer })
    local history = trainer:train(run)
    assert.are.equal(0.2, history:get_latest_metric("lr_group_2"))
    assert.are.equal(0.5, history:get_latest_metric("momentum_group_1"))
    assert.are.equal(4, #history:get_metric_values("lr_group_1"))
    assert.are.equal(4 + 1, #history:get_metric_names())
  end)
end)

describe("GradientMonitor", function()
  it("logs the norm before clipping, of all and of each parameter", function()
    local expected = {}
    local trainer = make({ callbacks.GradientMonitor{ per_parameter = true }, {
      on_backward_end = function(_, t)
        if t.log_due then
          local w, b = t.model.weight.grad, t.model.bias.grad
          expected[#expected + 1] = { w:norm():item(), b:norm():item() }
        end
      end } })
    local history = trainer:train{ train_dataset = set(8), num_epochs = 1,
      per_device_batch_size = 2, log_every = { updates = 2 }, gradient_clip_norm = 1e-3 }
    local all = history:get_metric_values("gradient_norm")
    assert.are.equal(2, #all)
    for i, norms in ipairs(expected) do
      assert.is_near(math.sqrt(norms[1] ^ 2 + norms[2] ^ 2), all[i], 1e-4)
      assert.is_near(norms[1], history:get_metric_values("gradient_norm.weight")[i], 1e-4)
      assert.is_near(norms[2], history:get_metric_values("gradient_norm.bias")[i], 1e-4)
    end
  end)

  -- As numpy.histogram: each bin has its lower edge, the last one both.
  local function counted(values, bins)
    local low, high = math.huge, -math.huge
    for _, v in ipairs(values) do low, high = math.min(low, v), math.max(high, v) end
    local counts = {}
    for i = 1, bins do counts[i] = 0 end
    for _, v in ipairs(values) do
      local bin = math.min(math.floor((v - low) * (bins / (high - low))) + 1, bins)
      counts[bin] = counts[bin] + 1
    end
    return { counts = counts, first = low, last = high }
  end

  it("logs histograms, which reach on_log and the history", function()
    local expected, told = {}, {}
    local model = nn.Linear(2, 300)
    local trainer = make({ callbacks.GradientMonitor{ histograms = true, bins = 7 }, {
      on_backward_end = function(_, t)
        expected[#expected + 1] = counted(t.model.weight.grad:flatten():totable(), 7)
      end,
      on_log = function(_, _, values) told[#told + 1] = values["gradient_histogram.weight"] end } },
      { model = model })
    local history = trainer:train{ train_dataset = data.TensorDataset(pl.randn(4, 2),
      pl.randn(4, 300)), num_epochs = 1, per_device_batch_size = 2, log_every = { updates = 1 } }
    local logged = history:get_metric_values("gradient_histogram.weight")
    assert.are.equal(2, #logged)
    for i, histogram in ipairs(logged) do
      assert.are.same(expected[i].counts, histogram.counts)
      assert.are.equal(8, #histogram.edges)
      assert.are.equal(expected[i].first, histogram.edges[1])
      assert.are.equal(expected[i].last, histogram.edges[8])
      assert.are.equal(histogram, told[i])
    end
    assert.is_nil(history.values["gradient_norm.weight"])
    assert.are.equal(history:get_latest_metric("gradient_histogram.bias").counts[1] > 0, true)
  end)

  it("makes histograms of what is constant, empty or not finite", function()
    local histogram = require "perilune.histogram"
    assert.are.same({ counts = { 0, 3 }, edges = { 1.5, 2, 2.5 } },
      histogram(pl.tensor{ 2, 2, 2 }, 2))
    assert.are.same({ counts = {}, edges = {} }, histogram(pl.tensor{ 1, 0 / 0 }, 2))
    assert.are.same({ counts = {}, edges = {} }, histogram(pl.zeros(0), 2))
  end)

  it("leaves what is no value out of the log", function()
    local trainer = make{ { on_before_optimizer_step = function(_, t)
      if t.log_due then t:log("x", { 1, 2 }) end
    end } }
    local ok, err = pcall(trainer.train, trainer, run)
    assert.is_false(ok)
    assert.truthy(err.message:find("or a histogram, { counts = {...}, edges = {...} }", 1, true))
  end)
end)

describe("Timer", function()
  it("counts training without evaluations, also in the middle of an epoch", function()
    local timer = callbacks.Timer()
    local trainer = make{ timer, callbacks.StepBasedEvaluationCallback(2),
      { on_eval_step_end = function()
          local now = timer:time_elapsed()
          busy_wait(0.05)
          assert.are.equal(now, timer:time_elapsed())
        end, on_train_step_end = function()
          local now = timer:time_elapsed()
          busy_wait(0.001)
          assert.is_true(timer:time_elapsed() > now)
        end, on_training_run_epoch_end = function()
          local now = timer:time_elapsed()
          busy_wait(0.01)
          assert.are.equal(now, timer:time_elapsed())
        end } }
    trainer:train{ train_dataset = set(8), eval_dataset = set(2), num_epochs = 1,
      per_device_batch_size = 2 }
    assert.is_true(timer:time_elapsed("eval") >= 0.15)
    assert.is_true(timer:time_elapsed() > 0)
    local before = timer:time_elapsed()
    busy_wait(0.01)
    assert.are.equal(before, timer:time_elapsed("train"))
    assert.is_nil(timer:time_remaining())
    assert.has_error(function() timer:time_elapsed("predict") end)
  end)

  it("stops a run", function()
    local trainer = make{ callbacks.Timer{ duration = 0 } }
    trainer:train(run)
    assert.are.equal(1, trainer.update)
    assert.are.equal("0 seconds of training are over", trainer.stop_reason)
  end)
end)

describe("ThroughputMonitor", function()
  it("logs samples and updates per second since the last time", function()
    local trainer = make{ callbacks.ThroughputMonitor,
      { on_train_step_end = function() busy_wait(0.01) end } }
    local history = trainer:train(run)
    local samples = history:get_metric_values("samples_per_second")
    local updates = history:get_metric_values("updates_per_second")
    assert.are.equal(4, #samples)
    for i = 2, 4 do
      assert.is_true(updates[i] > 0 and updates[i] <= 100)
      assert.is_near(2, samples[i] / updates[i], 1e-6)
    end
  end)
end)

describe("SpikeDetection", function()
  local Losses = class("Losses", Trainer)
  function Losses:calculate_train_batch_loss(batch)
    local zero = self.model.weight:sum() * 0
    return { loss = zero + self.losses[self.update], batch_size = batch[1]:size(1) }
  end

  local function detect(losses, options)
    local detection = callbacks.SpikeDetection(options or {})
    local model = nn.Linear(2, 1)
    local trainer = Losses{ model = model, callbacks = { detection }, quiet = true,
      optimizer = optim.SGD(model:parameters(), { lr = 0 }) }
    trainer.losses = losses
    return trainer, pcall(trainer.train, trainer, { train_dataset = set(2 * #losses),
      num_epochs = 1, per_device_batch_size = 2 })
  end

  it("ends a run at a jump, and says where", function()
    local _, ok, err = detect{ 1, 1.5, 2, 9, 1 }
    assert.is_false(ok)
    assert.are.equal("the loss is 9 after a mean of 1.5, at epoch 1, update 4 (batch 4 of the "
      .. "epoch)", err.message)
    assert.are.same({ "SpikeDetection", 1, 4 }, { err.callback, err.epoch, err.update })
    _, ok = detect{ 1, 0 / 0 }
    assert.is_false(ok)
  end)

  it("lets pass what is no jump", function()
    for i, case in ipairs{ { { 5, 14, 1, -30 } }, { { 1, 9, 1 }, { atol = 10 } },
      { { 1, 9, 1 }, { rtol = 9 } }, { { 1, 9, 9, 9 }, { warmup = 2, window = 2 } } } do
      local _, ok, err = detect(case[1], case[2])
      assert.is_true(ok, i .. ": " .. tostring(err))
    end
    local _, ok = detect({ 5, -30 }, { mode = "max" })
    assert.is_false(ok)
  end)

  it("compares with the last losses of its window, of one run", function()
    local trainer, ok = detect({ 10, 10, 1, 1, 5 }, { window = 2, warmup = 4 })
    assert.is_false(ok)
    assert.are.equal(5, trainer.update)
    trainer, ok = detect{ 1, 1 }
    assert.is_true(ok)
    trainer.losses = { 9, 9 }
    trainer:train{ train_dataset = set(4), num_epochs = 1, per_device_batch_size = 2 }
    assert.are.equal(2, trainer.update)
  end)

  it("leaves spikes out of the mean", function()
    local Counting = class("Counting", callbacks.SpikeDetection)
    local spikes = {}
    function Counting.handle_spike(_, trainer) spikes[#spikes + 1] = trainer.update end
    local model = nn.Linear(2, 1)
    local trainer = Losses{ model = model, callbacks = { Counting() }, quiet = true,
      optimizer = optim.SGD(model:parameters(), { lr = 0 }) }
    trainer.losses = { 1, 9, 9, 2 }
    trainer:train{ train_dataset = set(4), num_epochs = 1, per_device_batch_size = 1 }
    assert.are.same({ 2, 3 }, spikes)
  end)

  it("may stop the run instead", function()
    local trainer, ok = detect({ 1, 9, 1, 1 }, { action = "stop" })
    assert.is_true(ok)
    assert.are.equal(2, trainer.update)
  end)
end)

describe("ModelSummary", function()
  it("counts parameters, shared and frozen ones", function()
    local model = nn.Sequential{ { "first", nn.Linear(40, 30) }, { "body",
      nn.Sequential{ nn.ReLU(), nn.Linear(30, 1) } } }
    model:get("first"):requires_grad_(false)
    local summary = callbacks.ModelSummary()
    assert.are.equal(table.concat({
      "name   class       parameters",
      "first  Linear           1,230",
      "body   Sequential          31",
      "Sequential: 1,261 parameters, 31 of them trainable" }, "\n"), summary:text(model))
    local deeper = callbacks.ModelSummary{ max_depth = 2 }:text(model)
    assert.truthy(deeper:find("body.2  Linear", 1, true))
    local printed
    local trainer = make({ summary }, { model = model,
      optimizer = optim.SGD(model:get("body"):parameters(), { lr = 0.1 }) })
    trainer.print = function(_, text) printed = text end
    local two = data.TensorDataset(pl.randn(2, 40), pl.randn(2, 1))
    trainer:train{ train_dataset = two, num_epochs = 1 }
    assert.are.equal(summary:text(model), printed)
  end)
end)

describe("LogMetricsCallback", function()
  local function logged(callback_list, options)
    local Log = class("Log", callbacks.LogMetricsCallback)
    local lines = {}
    function Log.log_metrics(_, _, metrics, names)
      for _, name in ipairs(names) do assert.is_number(metrics[name]) end
      lines[#lines + 1] = table.concat(names, " ")
    end
    local list = { Log }
    for _, callback in ipairs(callback_list) do list[#list + 1] = callback end
    local trainer = make(list)
    options.train_dataset, options.num_epochs = set(4), 1
    trainer:train(options)
    return lines, trainer
  end

  it("comes after those that measure, whatever their place in the list", function()
    assert.are.same({ "train_loss_epoch", "eval_loss_epoch eval_mine" },
      (logged({ { on_eval_epoch_end = function(_, t)
        t.run_history:update_metric("eval_mine", 3)
      end } }, { eval_dataset = set(2) })))
  end)

  it("logs a metric once, and nothing of a sanity check", function()
    local lines, trainer = logged({}, { sanity_batches = 1, num_epochs = 1,
      eval_dataset = { { "a", set(2) }, { "b", set(2) } } })
    assert.are.same({ "train_loss_epoch", "a_eval_loss_epoch", "b_eval_loss_epoch" }, lines)
    trainer:evaluate{ dataset = { { "a", set(2) } } }
    trainer:evaluate{ dataset = set(2) }
    assert.are.same({ "a_evaluation_loss", "evaluation_loss" }, { lines[4], lines[5] })
    trainer.callback_handler.callbacks[1].seen = nil   -- as one that is new to the history
    trainer:evaluate{ dataset = set(2) }
    assert.are.equal("evaluation_loss", lines[6])
  end)
end)
