local pl = require "perilune"
local S = pl.schedulers

local function message(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "expected an error")
  return e.message
end

local function leaf() return pl.zeros({ 1 }, { requires_grad = true }) end

local function sgd(lr, ...)
  local groups = { { params = { leaf() } } }
  for i, other in ipairs { ... } do groups[i + 1] = { params = { leaf() }, lr = other } end
  return pl.optim.SGD(groups, { lr = lr, weight_decay = 0.5 })
end

local function walk(scheduler, n)
  local values = { scheduler:get_last_lr()[1] }
  for i = 2, n do
    scheduler:step()
    values[i] = scheduler:get_last_lr()[1]
  end
  return values
end

describe("SchedulerBase", function()
  local Milestones = pl.class("Milestones", S.SchedulerBase)

  function Milestones:init(optimizer, field, values)
    S.SchedulerBase.init(self, optimizer, field)
    self.values = values
  end

  function Milestones:get_updated_values(n)
    return self.values[n]
  end

  it("writes a number, a list or nothing into any field", function()
    local optimizer = sgd(0.1, 0.2)
    local scheduler = Milestones(optimizer, "weight_decay", { 0.25, [3] = { 0.125, 0 } })
    local a, b = optimizer.param_groups[1], optimizer.param_groups[2]
    assert.are.equal(0.5, a.initial_weight_decay)
    scheduler:step_update(1)
    assert.are.same({ 0.25, 0.25 }, { a.weight_decay, b.weight_decay })
    scheduler:step_update(2)
    assert.are.same({ 0.25, 0.25 }, { a.weight_decay, b.weight_decay })
    scheduler:step_update(3)
    assert.are.same({ 0.125, 0 }, { a.weight_decay, b.weight_decay })
    assert.are.same({ 0.1, 0.2 }, { a.lr, b.lr })
    assert.are.equal(3, scheduler:state_dict().num_updates)
  end)

  it("refuses a list of another length, and a field that is not there", function()
    local scheduler = Milestones(sgd(0.1, 0.2), "lr", { { 1 } })
    assert.are.equal("Milestones: got 1 values for 2 parameter groups",
      message(scheduler.step_update, scheduler, 1))
    assert.are.equal("Milestones: group 1 of SGD has no number 'weight_dekay' (did you mean"
      .. " 'weight_decay'?)", message(Milestones, sgd(1), "weight_dekay", {}))
    assert.truthy(message(Milestones, {}, "lr", {}):find("must have parameter groups", 1, true))
  end)

  it("asks a subclass for its values", function()
    local Empty = pl.class("Empty", S.StatefulSchedulerBase)
    local scheduler = Empty(sgd(1))
    assert.truthy(message(scheduler.step, scheduler)
      :find("define Empty:get_updated_values", 1, true))
  end)

  it("schedules any field with the library's schedulers", function()
    local optimizer = sgd(0.1)
    local scheduler = S.StepLR(optimizer, 1, { gamma = 0.5, param_group_field = "weight_decay" })
    scheduler:step()
    assert.are.equal(0.25, optimizer.param_groups[1].weight_decay)
    assert.are.equal(0.1, optimizer.param_groups[1].lr)
  end)

  it("takes a group that is added during the run along", function()
    local optimizer = sgd(1)
    local scheduler = S.StepLR(optimizer, 2, { gamma = 0.5 })
    scheduler:step()
    optimizer:add_param_group { params = { leaf() }, lr = 0.1 }
    scheduler:step()
    assert.are.same({ 0.5, 0.05 }, scheduler:get_last_lr())
  end)

  it("begins a second run with the values of the first", function()
    local optimizer = sgd(1)
    walk(S.ExponentialLR(optimizer, 0.5), 5)
    assert.are.same({ 1, 0.5 }, walk(S.ExponentialLR(optimizer, 0.5), 2))
  end)

  it("keeps initial values through the optimizer's state", function()
    local optimizer = sgd(1)
    local scheduler = S.ExponentialLR(optimizer, 0.5)
    scheduler:step()
    local other = sgd(7)
    other:load_state_dict(optimizer:state_dict())
    local resumed = S.ExponentialLR(other, 0.5)
    resumed:load_state_dict(scheduler:state_dict())
    resumed:step()
    assert.are.same({ 0.25 }, resumed:get_last_lr())
  end)

  it("lists what a state lacks or has too much", function()
    local scheduler = S.StepLR(sgd(1), 2)
    local state = scheduler:state_dict()
    state.gamma = nil
    assert.are.equal("StepLR: the state lacks 'gamma'",
      message(scheduler.load_state_dict, scheduler, state))
    state.gamma, state.delta = 1, 2
    assert.are.equal("StepLR: the state has 'delta', unknown here",
      message(scheduler.load_state_dict, scheduler, state))
  end)
end)

describe("create_scheduler_fn", function()
  local run = { num_epochs = 3, num_update_steps_per_epoch = 4, max_updates = 12 }

  it("fills lengths in when the run is known", function()
    local fn = S.CosineLrScheduler:create_scheduler_fn { lr_min = 0, num_cooldown_epochs = 1 }
    local values = walk(fn(sgd(1), run), 12)
    assert.are.equal(1, values[1])
    assert.is_true(math.abs(values[5] - 0.5) < 1e-12)
    assert.are.same({ 0, 0, 0, 0 }, { unpack(values, 9, 12) })
    assert.are.equal(12, S.OneCycleLR:create_scheduler_fn { max_lr = 1, cycle_momentum = false }(
      sgd(1), run).total_steps)
    assert.are.equal(12, S.CosineAnnealingLR:create_scheduler_fn()(sgd(1), run).T_max)
  end)

  it("calls functions of the run config, but not a schedule's own", function()
    local fn = S.StepLR:create_scheduler_fn {
      step_size = function(r) return 2 * r.num_update_steps_per_epoch end }
    assert.are.equal(8, fn(sgd(1), run).step_size)
    local lambda = S.LambdaLR:create_scheduler_fn { lr_lambda = function(n) return n + 1 end }
    assert.are.same({ 1, 2, 3 }, walk(lambda(sgd(1), run), 3))
  end)

  it("counts fractions of epochs when max_updates ends the run", function()
    local fn = S.CosineLrScheduler:create_scheduler_fn { lr_min = 0 }
    local short = { num_epochs = 3, num_update_steps_per_epoch = 4, max_updates = 6 }
    local values = walk(fn(sgd(1), short), 7)
    assert.is_true(math.abs(values[4] - 0.5) < 1e-12)
    assert.are.equal(0, values[7])
  end)

  it("says what the run does not know", function()
    local fn = S.CosineLrScheduler:create_scheduler_fn()
    assert.truthy(message(fn, sgd(1), { num_epochs = 3 }):find("give the number itself", 1, true))
    assert.truthy(message(S.StepLR.create_scheduler_fn, { step_size = 1 })
      :find("call it with a colon", 1, true))
  end)

  it("is what a Trainer takes", function()
    local model = pl.nn.Linear(2, 1)
    local optimizer = pl.optim.SGD(model:parameters(), { lr = 1 })
    local data = pl.data.TensorDataset(pl.rand(12, 2), pl.rand(12, 1))
    local seen = {}
    local trainer = pl.Trainer { model = model, optimizer = optimizer, quiet = true,
      loss_func = pl.nn.MSELoss(), callbacks = { { name = "watch",
        on_optimizer_step_end = function(_, t)
          seen[#seen + 1] = t.optimizer.param_groups[1].lr
        end } } }
    trainer:train { train_dataset = data, num_epochs = 2, per_device_batch_size = 4,
      gradient_accumulation_steps = 2,
      create_scheduler_fn = S.LinearLR:create_scheduler_fn { start_factor = 1, end_factor = 0,
        total_iters = S.placeholders.total_updates } }
    assert.are.same({ 0.75, 0.5, 0.25, 0 }, seen)
  end)

  it("may make a scheduler that is told the count", function()
    local Halves = pl.class("Halves", S.SchedulerBase)
    function Halves:get_updated_values(n) -- luacheck: no self
      return 2 ^ -n
    end
    local model = pl.nn.Linear(2, 1)
    local optimizer = pl.optim.SGD(model:parameters(), { lr = 1 })
    local data = pl.data.TensorDataset(pl.rand(8, 2), pl.rand(8, 1))
    local trainer = pl.Trainer { model = model, optimizer = optimizer, quiet = true,
      loss_func = pl.nn.MSELoss(), callbacks = {} }
    trainer:train { train_dataset = data, num_epochs = 1, per_device_batch_size = 2,
      create_scheduler_fn = Halves:create_scheduler_fn() }
    assert.are.equal(2 ^ -4, optimizer.param_groups[1].lr)
  end)

  it("shows a plateau scheduler the metric after each epoch", function()
    local model = pl.nn.Linear(2, 1)
    local optimizer = pl.optim.SGD(model:parameters(), { lr = 1e-9 })
    local data = pl.data.TensorDataset(pl.rand(8, 2), pl.rand(8, 1))
    local trainer = pl.Trainer { model = model, optimizer = optimizer, quiet = true,
      loss_func = pl.nn.MSELoss(), callbacks = {} }
    trainer:train { train_dataset = data, eval_dataset = data, num_epochs = 4,
      per_device_batch_size = 2,
      create_scheduler_fn = S.ReduceLROnPlateau:create_scheduler_fn { patience = 0, eps = 0,
        factor = 0.5 } }
    assert.are.equal(1.25e-10, optimizer.param_groups[1].lr)
    assert.are.equal(4, trainer.scheduler.last_epoch)
  end)
end)

describe("CosineLrScheduler", function()
  it("warms up in equal steps, then runs the whole cosine without a jump", function()
    local scheduler = S.CosineLrScheduler(sgd(1), 10, 10, { num_warmup_epochs = 4, lr_min = 0,
      warmup_starting_lr = 0.2 })
    local values = walk(scheduler, 101)
    assert.are.equal(0.2, values[1])
    assert.is_true(math.abs(values[21] - 0.6) < 1e-12)
    assert.are.equal(1, values[41])
    for n = 42, 101 do
      local step = values[n - 1] - values[n]
      assert.is_true(step > 0 and step < 0.03, "jump at " .. n)
    end
    assert.is_true(math.abs(values[71] - 0.5) < 1e-12)
    assert.are.equal(0, values[101])
  end)

  it("starts the warmup at a share of each group's value and never passes it", function()
    local optimizer = sgd(1, 0.1)
    local scheduler = S.CosineLrScheduler(optimizer, 4, 5, { num_warmup_epochs = 2,
      warmup_starting_lr_ratio = 0.5 })
    assert.are.same({ 0.5, 0.05 }, scheduler:get_last_lr())
    local values = walk(scheduler, 20)
    assert.are.equal(1, math.max(unpack(values)))
    assert.are.equal(1, values[11])
  end)

  it("refuses parts that do not fit", function()
    local options = { num_warmup_epochs = 3, num_cooldown_epochs = 2 }
    assert.are.equal("CosineLrScheduler: 3 epochs of warmup and 2 of cooldown do not fit into 4",
      message(S.CosineLrScheduler, sgd(1), 4, 5, options))
  end)
end)

describe("WSDLrScheduler", function()
  it("goes on from its state with its counter", function()
    local optimizer = sgd(1)
    local options = { total_steps = 40, decay_phase_ratio = 0.5, num_warmup_steps = 4 }
    local scheduler = S.WSDLrScheduler(optimizer, options)
    walk(scheduler, 31)
    local other = S.WSDLrScheduler(sgd(1), options)
    other:load_state_dict(scheduler:state_dict())
    assert.are.equal(30, other:get_current_step())
    scheduler:step()
    other:step()
    assert.are.same(scheduler:get_last_lr(), other:get_last_lr())
    assert.is_true(other:get_last_lr()[1] < 0.3)
  end)

  it("continues after a checkpoint with a fresh stable phase and no warmup", function()
    local optimizer = sgd(1)
    local scheduler = S.WSDLrScheduler(optimizer, { total_steps = 20 })
    walk(scheduler, 21)
    assert.is_true(optimizer.param_groups[1].lr < 1e-5)
    local longer = S.WSDLrScheduler(optimizer, { total_steps = 50, num_warmup_steps = 10,
      decay_phase_ratio = 0.2, is_continuation_from_checkpoint = true })
    longer:load_state_dict(scheduler:state_dict())
    assert.are.equal(0, longer:get_current_step())
    local values = walk(longer, 51)
    assert.are.same({ 1, 1 }, { values[1], values[41] })
    assert.is_true(values[42] < 1 and values[51] < 1e-5)
  end)

  it("places checkpoints each twice as far as the one before", function()
    local steps = S.WSDLrScheduler.estimate_checkpoint_steps
    assert.are.same({ 200 }, steps(200, 1))
    assert.are.same({ 50, 100 }, steps(100, 2))
    assert.are.same({ 25, 50, 100, 200 }, steps(200, 4))
  end)

  it("tells its periods", function()
    local scheduler = S.WSDLrScheduler(sgd(1), { total_steps = 100, num_checkpoints = 2 })
    assert.are.same({ period_start = 50, period_end = 100, decay_steps = 5, pre_decay_step = 95 },
      scheduler:get_phase_info(51))
    assert.are.equal(50, scheduler:get_current_phase_info().period_end)
    assert.are.equal(2, #scheduler:get_decay_info())
  end)

  it("takes warmup in epochs, else a hundredth, from create_scheduler_fn", function()
    local run = { num_epochs = 10, num_update_steps_per_epoch = 50, max_updates = 500 }
    local W = S.WSDLrScheduler
    assert.are.equal(5, W:create_scheduler_fn()(sgd(1), run).num_warmup_steps)
    local scheduler = W:create_scheduler_fn { num_warmup_epochs = 2 }(sgd(1), run)
    assert.are.equal(100, scheduler.num_warmup_steps)
    assert.are.equal(500, scheduler.total_steps)
  end)

  it("refuses what makes no sense", function()
    local W = S.WSDLrScheduler
    assert.truthy(message(W, sgd(1)):find("give total_steps, or", 1, true))
    assert.truthy(message(W, sgd(1), { total_steps = 5, num_epochs = 1,
      num_update_steps_per_epoch = 5 }):find("not both", 1, true))
    assert.truthy(message(W, sgd(1), { total_steps = 50, num_checkpoints = 2,
      decay_phase_ratio = 0.5 }):find("decays would overlap", 1, true))
    assert.truthy(message(W, sgd(0.1), { total_steps = 5, warmup_starting_lr = 1 })
      :find("above the largest initial value 0.1", 1, true))
  end)
end)

describe("schedulers refuse", function()
  it("wrong options with a clear sentence", function()
    assert.are.equal("StepLR: 'step_size' must be an integer >= 1, got 0",
      message(S.StepLR, sgd(1), 0))
    assert.truthy(message(S.ReduceLROnPlateau, sgd(1), { mode = "mim" })
      :find("must be one of 'min', 'max', got 'mim' (did you mean 'min'?)", 1, true))
    assert.truthy(message(function() return S.StepLr end):find("did you mean 'StepLR'", 1, true))
  end)

  it("a one-cycle without its length, and a step past it", function()
    assert.truthy(message(S.OneCycleLR, sgd(1), 1, { cycle_momentum = false })
      :find("give total_steps", 1, true))
    local scheduler = S.OneCycleLR(sgd(1), 1, { total_steps = 5, cycle_momentum = false })
    walk(scheduler, 6)
    assert.are.equal("OneCycleLR: update 6 is past the 5 of total_steps",
      message(scheduler.step, scheduler))
  end)

  it("lists that do not fit the groups or each other", function()
    assert.are.equal("OneCycleLR: 'max_lr' has 3 values, the optimizer 2 groups",
      message(S.OneCycleLR, sgd(1, 1), { 1, 2, 3 }, { total_steps = 5 }))
    assert.are.equal("LambdaLR: 'lr_lambda' has 1 functions, the optimizer 2 groups",
      message(S.LambdaLR, sgd(1, 1), { math.abs }))
    local optimizer = sgd(1)
    local parts = { S.ConstantLR(optimizer), S.ConstantLR(optimizer) }
    assert.are.equal("SequentialLR: 2 schedulers need 1 milestones, got 2",
      message(S.SequentialLR, optimizer, parts, { 1, 2 }))
    assert.truthy(message(S.SequentialLR, sgd(1), parts, { 1 })
      :find("writes another optimizer's", 1, true))
    assert.truthy(message(S.ChainedScheduler, optimizer, { S.ReduceLROnPlateau(optimizer) })
      :find("must be one that follows the number of updates", 1, true))
  end)

  it("cycling the momentum of an optimizer without one", function()
    local Plain = pl.class("Plain", pl.optim.Optimizer)
    Plain.options = { { "lr", 0.1 } }
    function Plain:init(o) pl.optim.Optimizer.init(self, Plain:check(o)) end
    assert.truthy(message(S.CyclicLR, Plain { leaf() }, 0.1, 1)
      :find("has neither momentum nor betas", 1, true))
  end)
end)
