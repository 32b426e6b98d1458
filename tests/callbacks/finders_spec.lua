-- Callbacks that try updates before a run begins, and leave no other trace than what they found.
local pl = require "perilune"
local class, nn, optim, data, callbacks = pl.class, pl.nn, pl.optim, pl.data, pl.callbacks
local engine = require "perilune.engine"
package.path = "./tests/state/?.lua;" .. package.path
local fails = require("support").fails

local set

local function make(list, o)
  pl.manual_seed(3)
  o = o or {}
  local model = nn.Sequential{ nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout{ p = 0.2 },
    nn.Linear(16, 1) }
  local optimizer = o.optimizer and o.optimizer(model)
    or optim.Adam(model:parameters(), { lr = 0.01 })
  return (o.class or pl.Trainer){ model = model, loss_func = nn.MSELoss(), optimizer = optimizer,
    callbacks = list, quiet = true }
end

local function run(extra)
  local o = { train_dataset = set, num_epochs = 2, per_device_batch_size = 8,
    log_every = { updates = 1 } }
  for name, value in pairs(extra or {}) do o[name] = value end
  return o
end

-- Everything a run ended with, and what the generator gives next.
local function outcome(trainer)
  local function bits(value)
    if pl.is_tensor(value) then return { value.dtype, value:totable() } end
    if type(value) ~= "table" then return value end
    local out = {}
    for k, v in pairs(value) do out[k] = bits(v) end
    return out
  end
  return bits{ weights = trainer.model:state_dict(), optimizer = trainer.optimizer:state_dict(),
    history = trainer.run_history:state_dict(), update = trainer.update,
    numbers = pl.rand(3), state = trainer.state }
end

setup(function()
  pl.manual_seed(5)
  local x = pl.randn(64, 8)
  set = data.TensorDataset(x, x:sum{ axes = { 2 }, keepdim = true })
end)

describe("LearningRateFinder", function()
  it("leaves no trace: a run with it ends as one without, byte for byte", function()
    local plain = make{}
    plain:train(run())
    local expected = outcome(plain)
    local finder = callbacks.LearningRateFinder{ set_lr = false, num_updates = 20, min_lr = 1e-4 }
    local monitor = callbacks.LearningRateMonitor()
    local trainer = make{ finder }
    trainer:train(run())
    assert.are.equal(20, #finder.results.lr)
    assert.are.same(expected, outcome(trainer))
    trainer = make{ finder, monitor }
    local history = trainer:train(run())
    assert.are.equal(16, #history:get_metric_values("lr"))
  end)

  it("raises the rate exponentially or linearly, and stops when the loss diverges", function()
    local finder = callbacks.LearningRateFinder{ min_lr = 1e-4, max_lr = 1e2, num_updates = 7 }
    local trainer = make({ finder }, { optimizer = function(m)
      return optim.SGD(m:parameters(), { lr = 1 }) end })
    trainer:train(run{ num_epochs = 1 })
    assert.is_true(finder.diverged)
    assert.is_true(#finder.results.lr < 7)
    for i, lr in ipairs(finder.results.lr) do
      assert.is_true(math.abs(lr / (1e-4 * 10 ^ (i - 1)) - 1) < 1e-12)
    end
    finder = callbacks.LearningRateFinder{ min_lr = 0, max_lr = 0.05, num_updates = 6,
      mode = "linear", early_stop_threshold = false }
    make{ finder }:train(run{ num_epochs = 1 })
    for i, lr in ipairs(finder.results.lr) do
      assert.is_true(math.abs(lr - 0.01 * (i - 1)) < 1e-12)
    end
    assert.are.equal(6, #finder.results.loss)
  end)

  it("smooths the loss of updates as Lightning does", function()
    local losses = {}
    local Watching = class("Watching", pl.Trainer)
    function Watching:calculate_train_batch_loss(batch)
      local output = pl.Trainer.calculate_train_batch_loss(self, batch)
      losses[#losses + 1] = output.loss:item()
      return output
    end
    local finder = callbacks.LearningRateFinder{ num_updates = 3, min_lr = 1e-3, max_lr = 1e-2 }
    finder:find(make({}, { class = Watching }), run{ gradient_accumulation_steps = 2 })
    assert.are.equal(6, #losses)
    local average = 0
    for n = 1, 3 do
      average = 0.98 * average + 0.02 * (losses[2 * n - 1] + losses[2 * n]) / 2
      assert.is_true(math.abs(average / (1 - 0.98 ^ n) / finder.results.loss[n] - 1) < 1e-12)
    end
  end)

  it("suggests where the loss falls fastest, and gives it to groups and scheduler", function()
    local finder = callbacks.LearningRateFinder{ min_lr = 1e-5, max_lr = 10, num_updates = 40 }
    local trainer = make({ finder, callbacks.LearningRateMonitor }, { optimizer = function(m)
      local p = m:parameters()
      return optim.SGD({ { params = { p[1], p[2] }, lr = 0.5 }, { params = { p[5] }, lr = 0.05 } },
        { lr = 1 })
    end })
    local history = trainer:train(run{
      create_scheduler_fn = pl.schedulers.StepLR:create_scheduler_fn{ step_size = 1 } })
    local lr, at = finder:suggestion()
    assert.are.equal(lr, finder.results.lr[at])
    assert.are.equal(lr, finder.lr)
    assert.is_true(lr > 1e-5 and lr < 10)
    assert.are.equal(lr, history:get_metric_values("lr_group_1")[1])
    assert.is_true(math.abs(history:get_metric_values("lr_group_2")[1] / lr - 0.1) < 1e-9)
    assert.is_true(math.abs(history:get_metric_values("lr_group_1")[2] / lr - 0.1) < 1e-9)
    local plot = finder:plot{ width = 30, height = 5 }
    assert.truthy(plot:find("O", 1, true))
    assert.are.equal(8, select(2, plot:gsub("\n", "\n")) + 1)
  end)

  it("takes no fall of rates that are too high, however steep or deep", function()
    local finder = callbacks.LearningRateFinder{ early_stop_threshold = false }
    local lr = {}
    for i = 1, 12 do lr[i] = i end
    finder.results = { lr = lr, loss = { 5, 4.9, 4.5, 4, 3.8, 3.7, 9, 30, 12, 2, 40, 3 } }
    assert.are.same({ 3, 3 }, { finder:suggestion{ skip_begin = 1, skip_end = 0 } })
    finder.results.loss = { 5, 6, 8, 30, 12, 20, 7, 6, 9, 8, 6, 5.5 }
    assert.is_nil(finder:suggestion{ skip_begin = 0, skip_end = 0 })
  end)

  it("lets a scheduler start again from what it found", function()
    local finder = callbacks.LearningRateFinder{ min_lr = 1e-5, max_lr = 10, num_updates = 20 }
    local history = make{ finder, callbacks.LearningRateMonitor }:train(run{
      create_scheduler_fn = pl.schedulers.LinearLR:create_scheduler_fn{ start_factor = 0.5 } })
    assert.is_near(finder.lr / 2, history:get_metric_values("lr")[1], 1e-12)
  end)

  it("tries nothing in a run that goes on from a state", function()
    local folder = os.tmpname()
    os.remove(folder)
    finally(function() os.execute("rm -rf '" .. folder .. "'") end)
    make{ { on_training_run_epoch_end = function(_, t)
      t:save_training_state(folder)
    end } }:train(run{ num_epochs = 1 })
    local finder = callbacks.LearningRateFinder{ num_updates = 20 }
    make{ finder }:train(run{ num_epochs = 2, resume_from = folder })
    assert.is_nil(finder.results)
  end)

  it("leaves the ends of the curve and what is not finite out of the suggestion", function()
    local finder = callbacks.LearningRateFinder()
    local loss = { 9, 1, 8, 7.5, 7, 4, 3, 3, 5, 0 / 0, 0 }
    finder.results = { lr = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }, loss = loss }
    assert.are.same({ 6, 6 }, { finder:suggestion{ skip_begin = 2 } })
    assert.are.same({ 1, 1 }, { finder:suggestion{ skip_begin = 0 } })
    finder.results = { lr = { 1, 2 }, loss = { 1 / 0, 0 / 0 } }
    assert.is_nil(finder:suggestion())
    assert.are.equal("no loss was finite", finder:plot())
  end)

  it("works before a run, and the trainer's callbacks and history know nothing of it", function()
    local events = 0
    local trainer = make{ { on_training_run_start = function() events = events + 1 end,
      on_train_step_end = function() events = events + 1 end } }
    local before = outcome(trainer)
    pl.manual_seed(3)
    local finder = callbacks.LearningRateFinder{ num_updates = 12, set_lr = false }
    local lr = finder:find(trainer, run())
    assert.are.equal(finder:suggestion(), lr)
    assert.are.equal(0, events)
    local after = outcome(trainer)
    before.numbers, after.numbers = nil, nil
    before.optimizer.param_groups, after.optimizer.param_groups = nil, nil
    assert.are.same(before, after)
  end)

  it("takes everything back when the trial fails", function()
    local Failing = class("Failing", pl.Trainer)
    function Failing:optimizer_step()
      pl.Trainer.optimizer_step(self)
      if self.fail and self.update == 2 then error("no more") end
    end
    local trainer = make({}, { class = Failing })
    local before = outcome(trainer)
    trainer.fail = true
    fails("user", "no more", callbacks.LearningRateFinder().find, callbacks.LearningRateFinder(),
      trainer, run())
    pl.manual_seed(3)
    local after = outcome(trainer)
    assert.are.same(before.weights, after.weights)
    assert.are.same(before.optimizer, after.optimizer)
    assert.are.equal("failed", after.state)
  end)

  it("says what is wrong", function()
    fails("argument", "min_lr must be above 0 and below max_lr, got 1 and 0.5",
      callbacks.LearningRateFinder, { min_lr = 1, max_lr = 0.5 })
    fails("user", "nothing has been tried", callbacks.LearningRateFinder().plot,
      callbacks.LearningRateFinder())
    local Own = class("Own", pl.Trainer)
    function Own:optimizer_step() end
    local trainer = Own{ model = nn.Linear(8, 1), loss_func = nn.MSELoss(), quiet = true,
      callbacks = { callbacks.LearningRateFinder } }
    fails("argument", "needs an optimizer whose parameter groups have an lr", trainer.train,
      trainer, run())
    fails("user", "updates can be tried in on_training_run_start", trainer.trial, trainer,
      { updates = 1 })
  end)
end)

describe("BatchSizeFinder", function()
  -- Memory of a training update at a batch size comes from a layer that makes a large tensor.
  local function hungry(bytes)
    local Hungry = class("Hungry", pl.Trainer)
    function Hungry:calculate_train_batch_loss(batch)
      pl.zeros{ batch[1]:size(1), bytes / 4 }
      return pl.Trainer.calculate_train_batch_loss(self, batch)
    end
    return Hungry
  end

  -- A limit at which `samples` fit, and no more.
  local function limit_to(samples, bytes)
    collectgarbage()
    collectgarbage()
    engine.C.pl_device_trim(engine.open "cpu")
    engine.set_memory_limit(engine.memory().in_use + (samples + 0.5) * bytes)
  end

  local BYTES = 2 ^ 20

  after_each(function() engine.set_memory_limit(nil) end)

  local function found(options, samples)
    local finder = callbacks.BatchSizeFinder(options)
    local trainer = make({ finder }, { class = hungry(BYTES) })
    local sizes = {}
    trainer:add_callback{ on_train_batch_loss = function(_, _, _, output)
      sizes[output.batch_size] = true
    end }
    limit_to(samples, BYTES)
    trainer:train(run{ train_dataloader_kwargs = { batch_size = 3 }, num_epochs = 1 })
    return finder, sizes, trainer
  end

  it("doubles until memory is short, and the run goes on with what fitted", function()
    local finder, sizes, trainer = found({}, 10)
    assert.are.equal(8, finder.batch_size)
    assert.are.same({ [8] = true }, sizes)
    assert.are.equal(8, trainer.run_config.train_per_device_batch_size)
    assert.are.equal(8, trainer.run_config.num_update_steps_per_epoch)
    local tried = {}
    for i, one in ipairs(finder.trials) do
      tried[i] = one.fits and one.batch_size or -one.batch_size
    end
    assert.are.same({ 2, 4, 8, -16 }, tried)
  end)

  it("looks between the last two with binsearch", function()
    local finder = found({ mode = "binsearch" }, 13)
    assert.are.equal(13, finder.batch_size)
  end)

  it("halves where the first size is too large, and stops at limits", function()
    assert.are.equal(2, (found({ init_val = 32 }, 3)).batch_size)
    assert.are.equal(6, (found({ max_val = 6 }, 50)).batch_size)
    assert.are.equal(64, (found({}, 1000)).batch_size)
    assert.are.equal(4, (found({ max_trials = 2 }, 50)).batch_size)
  end)

  it("leaves a run as if its batch size had been given", function()
    local _, _, trainer = found({}, 10)
    engine.set_memory_limit(nil)
    local plain = make({}, { class = hungry(BYTES) })
    plain:train(run{ num_epochs = 1, per_device_batch_size = 8 })
    assert.are.same(outcome(plain).weights, outcome(trainer).weights)
    assert.are.same(outcome(plain).history, outcome(trainer).history)
  end)

  it("works before a run", function()
    local trainer = make({}, { class = hungry(BYTES) })
    limit_to(5, BYTES)
    assert.are.equal(4, callbacks.BatchSizeFinder():find(trainer, run()))
    assert.are.equal("idle", trainer.state)
    assert.are.equal(0, trainer.update)
  end)

  it("raises what is no question of size", function()
    local trainer = make({ callbacks.BatchSizeFinder }, { class = hungry(BYTES) })
    limit_to(0, BYTES)
    fails("out_of_memory", "the limit that was set", trainer.train, trainer, run())
    engine.set_memory_limit(nil)
    local Wrong = class("Wrong", pl.Trainer)
    function Wrong:backward_step() error("wrong") end
    trainer = make({ callbacks.BatchSizeFinder }, { class = Wrong })
    fails("user", "wrong", trainer.train, trainer, run())
    trainer = make{ callbacks.BatchSizeFinder }
    fails("argument", "a batch_sampler decides", trainer.train, trainer,
      run{ train_dataloader_kwargs = { shuffle = false, batch_size = false,
        batch_sampler = data.BatchSampler{ sampler = data.SequentialSampler(set),
          batch_size = 4 } } })
    fails("argument", "max_val is 1, below init_val, 2", callbacks.BatchSizeFinder, { max_val = 1 })
  end)
end)

describe("engine.set_memory_limit", function()
  it("makes larger tensors out_of_memory, cached ones aside, until it is lifted", function()
    engine.set_memory_limit(engine.memory().in_use + 2 ^ 20)
    fails("out_of_memory", "out of memory", pl.zeros, { 2 ^ 19 })
    pl.scope(function() pl.zeros{ 2 ^ 17 } end)
    -- Both at once would be too much: the first one's memory, cached, has to go.
    pl.scope(function() pl.zeros{ 2 ^ 17 + 2 ^ 14 } end)
    engine.set_memory_limit(nil)
    pl.scope(function() pl.zeros{ 2 ^ 19 } end)
    fails("argument", "bytes must be a number above 0", engine.set_memory_limit, -1)
  end)
end)
