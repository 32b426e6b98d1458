-- The order of phases and events, of which each phase comes before its event.
local pl = require "perilune"
local class, nn, optim, data = pl.class, pl.nn, pl.optim, pl.data
local engine = require "perilune.engine"
local Trainer = pl.Trainer

local phases = {
  "create_train_dataloader", "create_eval_dataloader", "create_scheduler",
  "training_run_start", "train_epoch_start", "calculate_train_batch_loss", "backward_step",
  "clip_gradients", "optimizer_step", "scheduler_step", "optimizer_zero_grad", "train_epoch_end",
  "eval_epoch_start", "calculate_eval_batch_loss", "eval_epoch_end", "training_run_epoch_end",
  "training_run_end", "evaluation_run_start", "evaluation_run_end", "teardown",
}

-- A trainer class whose phases note their names, and a callback that notes its events.
local function recorder()
  local calls = {}
  local function note(name) calls[#calls + 1] = name end
  local Recorded = class("Recorded", Trainer)
  for _, name in ipairs(phases) do
    Recorded[name] = function(self, ...)
      note(name)
      return Trainer[name](self, ...)
    end
  end
  local callback = {}
  for _, event in ipairs(Trainer.events) do
    callback[event] = function() note(event) end
  end
  return Recorded, callback, calls
end

local function dataset(n)
  return data.TensorDataset(pl.randn(n, 3), pl.randn(n, 1))
end

local function make(class_of, callbacks)
  local model = nn.Linear(3, 1)
  return class_of{
    model = model, loss_func = nn.MSELoss(),
    optimizer = optim.SGD(model:parameters(), { lr = 0.1 }),
    callbacks = callbacks, seed = 1, quiet = true,
  }
end

local step = {
  "on_train_step_start", "calculate_train_batch_loss", "on_train_batch_loss", "backward_step",
  "on_backward_end",
}
local update = {
  "on_before_optimizer_step", "clip_gradients", "optimizer_step", "scheduler_step",
  "optimizer_zero_grad", "on_optimizer_step_end",
}
local step_end = { "on_train_step_end" }
local run_start = {
  "create_train_dataloader", "create_scheduler", "training_run_start", "optimizer_zero_grad",
  "on_training_run_start",
}
local epoch_start = { "train_epoch_start", "on_train_epoch_start" }
local epoch_end = { "train_epoch_end", "on_train_epoch_end" }
local eval_step = { "on_eval_step_start", "calculate_eval_batch_loss", "on_eval_step_end" }
local run_epoch_end = { "training_run_epoch_end", "on_training_run_epoch_end" }
local run_end = { "training_run_end", "on_training_run_end" }
local teardown = { "teardown", "on_teardown" }

local function joined(...)
  local all = {}
  for _, part in ipairs{ ... } do
    for _, name in ipairs(part) do all[#all + 1] = name end
  end
  return all
end

describe("Trainer events", function()
  local Recorded, callback, calls

  before_each(function()
    Recorded, callback, calls = recorder()
  end)

  it("come in the documented order", function()
    local trainer = make(Recorded, { callback })
    assert.are.same({ "on_init_end" }, calls)
    trainer:train{
      train_dataset = dataset(10), eval_dataset = dataset(4), num_epochs = 1,
      per_device_batch_size = 4, gradient_accumulation_steps = 2,
    }
    assert.are.same(joined({ "on_init_end", "create_train_dataloader", "create_eval_dataloader",
      "create_scheduler", "training_run_start", "optimizer_zero_grad", "on_training_run_start" },
      epoch_start, step, step_end, step, update, step_end, step, update, step_end, epoch_end,
      { "eval_epoch_start", "on_eval_epoch_start" }, eval_step,
      { "eval_epoch_end", "on_eval_epoch_end" }, run_epoch_end, run_end, teardown), calls)
    assert.are.equal("finished", trainer.state)
  end)

  it("of evaluate", function()
    local trainer = make(Recorded, { callback })
    trainer:evaluate{ dataset = dataset(8), per_device_batch_size = 4 }
    assert.are.same(joined({ "on_init_end", "create_eval_dataloader", "evaluation_run_start",
      "on_evaluation_run_start", "eval_epoch_start", "on_eval_epoch_start" }, eval_step, eval_step,
      { "eval_epoch_end", "on_eval_epoch_end", "evaluation_run_end", "on_evaluation_run_end" },
      teardown), calls)
  end)

  it("of a stop: the epoch and the run end, what is left is skipped", function()
    local stopper = { on_train_step_end = function(_, trainer) trainer:stop("enough") end }
    local reason
    callback.on_stop_training = function(_, _, why)
      reason = why
      calls[#calls + 1] = "on_stop_training"
    end
    local trainer = make(Recorded, { callback, stopper })
    trainer:train{ train_dataset = dataset(8), num_epochs = 3, per_device_batch_size = 4 }
    assert.are.same(joined({ "on_init_end" }, run_start, epoch_start, step, update, step_end,
      { "on_stop_training" }, epoch_end, run_end, teardown), calls)
    assert.are.equal("enough", reason)
    assert.are.equal("finished", trainer.state)
  end)

  it("of an error in the loop", function()
    function Recorded.calculate_train_batch_loss() error("no such thing") end
    local seen
    callback.on_exception = function(_, trainer, err)
      seen = err
      calls[#calls + 1] = "on_exception " .. trainer.state
    end
    local trainer = make(Recorded, { callback })
    local ok, err = pcall(trainer.train, trainer, { train_dataset = dataset(8), num_epochs = 1 })
    assert.is_false(ok)
    assert.are.equal(seen, err)
    assert.are.equal("user", err.kind)
    assert.truthy(tostring(err):find("trainer_events_spec.lua:%d+: no such thing$"), tostring(err))
    assert.truthy(err.traceback:find("trainer_events_spec.lua", 1, true), err.traceback)
    assert.are.same(joined({ "on_init_end" }, run_start, epoch_start, { "on_train_step_start",
      "on_exception running" }, teardown), calls)
    assert.are.equal("failed", trainer.state)
  end)

  it("of Ctrl-C: at the next update edge, through the error's path", function()
    local interrupting = { on_train_step_start = function() engine.C.pl_interrupt_raise(2) end }
    local trainer = make(Recorded, { callback, interrupting })
    local ok, err = pcall(trainer.train, trainer,
      { train_dataset = dataset(8), num_epochs = 1, per_device_batch_size = 4 })
    assert.is_false(ok)
    assert.are.equal("interrupted", err.kind)
    assert.are.equal("interrupted by Ctrl-C in epoch 1 after update 1; no state was saved "
      .. "(the trainer has no root_dir)", err.message)
    assert.are.same(joined({ "on_init_end" }, run_start, epoch_start, step, update, step_end,
      { "on_exception" }, teardown), calls)
    assert.are.equal(0, engine.interrupted())
  end)

  it("of the class's own", function()
    local MyTrainer = class("MyTrainer", Trainer)
    MyTrainer.events = { "on_reward" }
    local rewards = {}
    local trainer = make(MyTrainer, { { on_reward = function(_, t, a, b)
      rewards[#rewards + 1] = { t, a, b }
    end } })
    trainer:emit("on_reward", 1, "two")
    assert.are.same(1, #rewards)
    assert.are.same({ 1, "two" }, { rewards[1][2], rewards[1][3] })
    local ok, err = pcall(trainer.emit, trainer, "on_rewards")
    assert.is_false(ok)
    assert.truthy(err.message:find("did you mean 'on_reward'", 1, true), err.message)
    assert.has_error(function() make(Trainer, { { on_reward = print } }) end)
  end)
end)

describe("Errors in callbacks", function()
  it("name callback, hook, epoch and update, with the first traceback", function()
    local Broken = class("Broken", pl.callbacks.TrainerCallback)
    function Broken.on_train_step_end(_, trainer)
      if trainer.update == 3 then error("out of luck") end
    end
    local trainer = make(Trainer, { Broken })
    local ok, err = pcall(trainer.train, trainer,
      { train_dataset = dataset(8), num_epochs = 2, per_device_batch_size = 4 })
    assert.is_false(ok)
    assert.are.equal("Broken:on_train_step_end (epoch 2, update 3): out of luck", err.message)
    assert.are.equal("Broken", err.callback)
    assert.truthy(err.traceback:find("trainer_events_spec.lua", 1, true))
  end)

  it("in a missing field surface too", function()
    local trainer = make(Trainer, { { name = "typo", on_train_epoch_end = function(self)
      return self.absent.field
    end } })
    local ok, err = pcall(trainer.train, trainer, { train_dataset = dataset(8), num_epochs = 1 })
    assert.is_false(ok)
    assert.truthy(err.message:find("^typo:on_train_epoch_end %(epoch 1, update 1%): attempt"))
  end)

  it("in on_exception hide neither the error nor the other callbacks", function()
    local told = false
    local trainer = make(Trainer, {
      { on_train_step_end = function() error("first") end },
      { on_exception = function() error("second") end },
      { on_exception = function() told = true end },
    })
    local stderr = io.stderr
    rawset(io, "stderr", { write = function() end })
    local ok, err = pcall(trainer.train, trainer, { train_dataset = dataset(8), num_epochs = 1 })
    rawset(io, "stderr", stderr)
    assert.is_false(ok)
    assert.truthy(err.message:find("first$"))
    assert.is_true(told)
  end)

  it("in on_teardown are raised, and the other callbacks are torn down too", function()
    local told = false
    local trainer = make(Trainer, {
      { name = "clumsy", on_teardown = function() error("dropped it") end },
      { on_teardown = function() told = true end },
    })
    local ok, err = pcall(trainer.train, trainer, { train_dataset = dataset(8), num_epochs = 1 })
    assert.is_false(ok)
    assert.truthy(err.message:find("dropped it$"), err.message)
    assert.is_true(told)
    assert.are.equal("failed", trainer.state)
  end)

  it("leave the trainer able to run again", function()
    local fail = true
    local trainer = make(Trainer, { { on_train_step_end = function()
      if fail then error("once") end
    end } })
    local run = { train_dataset = dataset(8), num_epochs = 1 }
    assert.is_false(pcall(trainer.train, trainer, run))
    fail = false
    trainer:train(run)
    assert.are.equal("finished", trainer.state)
  end)

  it("say what a misspelt hook was meant to be, when it is attached", function()
    local ok, err = pcall(make, Trainer, { { name = "mine", on_train_step_ended = print } })
    assert.is_false(ok)
    assert.are.equal("mine defines unknown hook 'on_train_step_ended' (did you mean "
      .. "'on_train_step_end'?)", err.message)
  end)
end)
