-- The loop one update at a time: what an unbroken run does, in the same order, with pauses between.
local pl = require "perilune"
local class, nn, optim, data = pl.class, pl.nn, pl.optim, pl.data
local context, engine = require "perilune.context", require "perilune.engine"
local Trainer = pl.Trainer

local set, eval_set

local function options()
  return { train_dataset = set, eval_dataset = eval_set, num_epochs = 2, per_device_batch_size = 4,
    gradient_accumulation_steps = 2 }
end

-- A trainer with dropout and shuffling, and a list of all its events with what math.random gives.
local function make()
  pl.manual_seed(21)
  local model = nn.Sequential{ nn.Linear(3, 8), nn.Dropout{ p = 0.3 }, nn.Linear(8, 1) }
  local calls, recorder = {}, {}
  for _, event in ipairs(Trainer.events) do
    recorder[event] = function(_, trainer)
      calls[#calls + 1] = ("%s %d"):format(event, trainer.update)
    end
  end
  function recorder.on_train_step_end() calls[#calls + 1] = "step end " .. math.random() end
  function recorder.on_train_epoch_end() calls[#calls + 1] = "epoch end " .. pl.rand(1):item() end
  local trainer = Trainer{ model = model, loss_func = nn.MSELoss(), callbacks = { recorder },
    optimizer = optim.SGD(model:parameters(), { lr = 0.1, momentum = 0.9 }), quiet = true }
  return trainer, calls
end

local function weights(trainer)
  local values = {}
  for i, p in ipairs(trainer.model:parameters()) do values[i] = p:detach():totable() end
  return values
end

local function unbroken()
  local trainer, calls = make()
  trainer:train(options())
  return { weights = weights(trainer), calls = calls,
    losses = trainer.run_history:get_metric_values("train_loss_epoch") }
end

local function check_equal(expected, trainer, calls)
  assert.are.same(expected.weights, weights(trainer))
  assert.are.same(expected.calls, calls)
  assert.are.same(expected.losses, trainer.run_history:get_metric_values("train_loss_epoch"))
  assert.are.equal("finished", trainer.state)
end

describe("Trainer:steps", function()
  setup(function()
    pl.manual_seed(5)
    set = data.TensorDataset(pl.randn(24, 3), pl.randn(24, 1))
    eval_set = data.TensorDataset(pl.randn(8, 3), pl.randn(8, 1))
  end)

  it("does what train does, hook by hook and byte by byte", function()
    local expected = unbroken()
    local trainer, calls = make()
    local updates = {}
    for batch, output in trainer:steps(options()) do
      updates[#updates + 1] = trainer.update
      assert.are.equal("paused", trainer.state)
      assert.are.same({ 4, 3 }, batch[1].shape)
      assert.is_number(output.loss:item())
      math.random()
      pl.rand(3)
    end
    assert.are.same({ 1, 2, 3, 4, 5, 6 }, updates)
    check_equal(expected, trainer, calls)
  end)

  it("is paused after break; the output can be read, and resume ends the run", function()
    local expected = unbroken()
    local trainer, calls = make()
    local last_output, last_batch
    for batch, output in trainer:steps(options()) do
      last_batch, last_output = batch, output
      if trainer.update == 3 then break end
    end
    assert.are.equal("paused", trainer.state)
    assert.are.equal(trainer.train_loss_tracker:loss_value(), last_output.loss:item())
    assert.are.equal(4, #last_batch[1]:totable())
    assert.are.equal(0, context.current())
    pl.no_grad(function()
      trainer:resume()
      assert.is_false(context.grad_enabled())
    end)
    assert.is_true(context.grad_enabled())
    check_equal(expected, trainer, calls)
    assert.has_error(function() last_output.loss:item() end)
  end)

  it("is paused after an error in the body, and steps go on", function()
    local expected = unbroken()
    local trainer, calls = make()
    local ok = pcall(function()
      for _ in trainer:steps(options()) do error("mine") end
    end)
    assert.is_false(ok)
    assert.are.equal("paused", trainer.state)
    local more = 0
    for _ in trainer:steps() do more = more + 1 end
    assert.are.equal(5, more)
    check_equal(expected, trainer, calls)
  end)

  it("ends through the normal end events after abort", function()
    local trainer, calls = make()
    for _ in trainer:steps(options()) do
      if trainer.update == 2 then trainer:abort("seen enough") end
    end
    assert.are.equal("finished", trainer.state)
    assert.are.equal(2, trainer.update)
    assert.are.equal("seen enough", trainer.stop_reason)
    local ends = {}
    for i = #calls - 3, #calls do ends[#ends + 1] = calls[i]:match("^%S+ %l*") end
    assert.are.same({ "on_stop_training ", "epoch end", "on_training_run_end ", "on_teardown " },
      ends)
    trainer:train(options())
    assert.are.equal("finished", trainer.state)
  end)

  it("takes callbacks away, in and out of the order while paused", function()
    local trainer = make()
    local seen = {}
    local Counter = class("Counter", pl.callbacks.TrainerCallback)
    function Counter.on_train_step_start(_, t) seen[#seen + 1] = "counter " .. t.update end
    local other = { name = "other", on_train_step_start = function(_, t)
      seen[#seen + 1] = "other " .. t.update
    end }
    local run = options()
    run.gradient_accumulation_steps = 1
    for _ in trainer:steps(run) do
      if trainer.update == 1 then trainer:add_callback(Counter) end
      if trainer.update == 3 then trainer:replace_callback("Counter", other) end
      if trainer.update == 4 then trainer:remove_callback(other) end
    end
    assert.are.same({ "counter 2", "counter 3", "other 4" }, seen)
    local ok, err = pcall(trainer.remove_callback, trainer, "Counted")
    assert.is_false(ok)
    assert.truthy(err.message:find("no callback Counted is attached", 1, true), err.message)
  end)

  it("raises what went wrong in the run, after on_exception and teardown", function()
    local trainer = make()
    local told = {}
    trainer:add_callback({ on_train_step_end = function(_, t)
      if t.update == 2 then error("broken hook") end
    end, on_exception = function() told[#told + 1] = "exception" end,
      on_teardown = function() told[#told + 1] = "teardown" end })
    local ok, err = pcall(function() for _ in trainer:steps(options()) do end end)
    assert.is_false(ok)
    assert.truthy(err.message:find("(epoch 1, update 2): broken hook", 1, true), err.message)
    assert.are.same({ "exception", "teardown" }, told)
    assert.are.equal("failed", trainer.state)
    assert.are.equal(0, context.current())
  end)

  it("refuses another run while paused, and resume while not", function()
    local trainer = make()
    local advance, run = trainer:steps(options())
    advance(run)
    for _, start in ipairs{ "train", "steps" } do
      local ok, err = pcall(trainer[start], trainer, options())
      assert.is_false(ok)
      assert.truthy(err.message:find("paused after update 1: resume() or abort()", 1, true),
        err.message)
    end
    assert.are.equal(2, engine.context.interrupts)
    trainer:resume()
    assert.are.equal(1, engine.context.interrupts)
    for _, call in ipairs{ "resume", "abort", "steps" } do
      local ok, err = pcall(trainer[call], trainer)
      assert.is_false(ok)
      assert.truthy(err.message:find("no paused run (it is finished)", 1, true), err.message)
    end
  end)

  it("checks its options before the first step", function()
    local trainer = make()
    local ok, err = pcall(trainer.steps, trainer, { train_dataset = set, num_epoch = 1 })
    assert.is_false(ok)
    assert.truthy(err.message:find("did you mean 'num_epochs'", 1, true), err.message)
    assert.are.equal("idle", trainer.state)
  end)

  it("can evaluate in the body, which changes nothing of the run", function()
    local expected = unbroken()
    local trainer = make()
    for _ in trainer:steps(options()) do
      local results = trainer:evaluate_now()
      assert.is_number(results.intermediate_eval_loss)
      assert.is_true(trainer.model.training)
    end
    assert.are.same(expected.weights, weights(trainer))
    assert.are.equal(6, #trainer.run_history:get_metric_values("intermediate_eval_loss"))
  end)

  it("can save a state while paused, from which another trainer goes on", function()
    local path = os.tmpname()
    os.remove(path)
    local Named = class("Named", Trainer)
    function Named:calculate_train_batch_loss(batch)
      local output = Trainer.calculate_train_batch_loss(self, batch)
      output.losses = { { "double", output.loss * 2 } }
      return output
    end
    local function named()
      pl.manual_seed(22)
      local model = nn.Linear(3, 1)
      return Named{ model = model, loss_func = nn.MSELoss(), callbacks = {}, quiet = true,
        optimizer = optim.SGD(model:parameters(), { lr = 0.1, momentum = 0.9 }) }
    end
    local whole = named()
    whole:train(options())
    local paused = named()
    for _ in paused:steps(options()) do
      if paused.update == 2 then break end
    end
    paused:save_training_state(path)
    assert.has_error(function() paused:load_training_state(path) end)
    local run = options()
    run.resume_from = path
    local resumed = named()
    for _ in resumed:steps(run) do assert.is_true(resumed.update > 2) end
    os.execute("rm -r " .. path)
    assert.are.same(weights(whole), weights(resumed))
    for _, name in ipairs{ "train_loss_epoch", "train_double_epoch", "eval_loss_epoch" } do
      assert.are.same(whole.run_history:get_metric_values(name),
        resumed.run_history:get_metric_values(name))
    end
  end)
end)
