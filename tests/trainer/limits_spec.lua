-- Where runs end, how much of a loader they see, and when they evaluate and log.
local pl = require "perilune"
local nn, optim, data = pl.nn, pl.optim, pl.data
local Trainer = pl.Trainer

local function set(n)
  return data.TensorDataset(pl.arange(1, n):reshape(n, 1), pl.zeros(n, 1))
end

local function make(callback)
  local model = nn.Linear(1, 1)
  return Trainer{ model = model, loss_func = nn.MSELoss(), callbacks = { callback or {} },
    optimizer = optim.SGD(model:parameters(), { lr = 1e-4 }), quiet = true }
end

local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err.message
end

-- The first inputs of every training and evaluation batch.
local function spy()
  local seen = { train = {}, eval = {} }
  return seen, {
    on_train_step_start = function(_, _, batch)
      table.insert(seen.train, batch[1][{ 1, 1 }]:item())
    end,
    on_eval_step_start = function(_, _, batch)
      table.insert(seen.eval, batch[1][{ 1, 1 }]:item())
    end,
  }
end

local function run(trainer, options)
  options.train_dataset, options.per_device_batch_size = options.train_dataset or set(20), 2
  return trainer:train(options)
end

describe("Limits of loops", function()
  it("take so many batches, or a fraction, of each pass", function()
    for _, case in ipairs{ { { batches = 3 }, 3 }, { { fraction = 0.3 }, 3 },
      { { fraction = 0.01 }, 1 }, { { batches = 99 }, 10 } } do
      local seen, callback = spy()
      local trainer = make(callback)
      run(trainer, { num_epochs = 2, limit_train_batches = case[1], eval_dataset = set(8),
        limit_eval_batches = { batches = 2 } })
      assert.are.equal(2 * case[2], #seen.train)
      assert.are.equal(2 * case[2], trainer.update)
      assert.are.equal(case[2], trainer.run_config.num_update_steps_per_epoch)
      assert.are.same({ 1, 3, 1, 3 }, seen.eval)
    end
  end)

  it("count in accumulation: the last update has fewer batches", function()
    local trainer = make()
    run(trainer, { num_epochs = 1, limit_train_batches = { batches = 5 },
      gradient_accumulation_steps = 3 })
    assert.are.equal(2, trainer.update)
  end)

  it("may be changed for an epoch by a callback", function()
    local seen, callback = spy()
    function callback.on_train_epoch_start(_, t)
      t.train_dataloader = data.DataLoader(set(2 * t.run_history.current_epoch), { batch_size = 1 })
    end
    run(make(callback), { num_epochs = 2 })
    assert.are.same({ 1, 2, 1, 2, 3, 4 }, seen.train)
  end)

  it("hold for evaluate", function()
    local seen, callback = spy()
    make(callback):evaluate{ dataset = set(9), limit_batches = { batches = 1 } }
    assert.are.same({ 1 }, seen.eval)
  end)

  it("are refused in another form", function()
    for text, limit in pairs{
      ["limit_train_batches: give batches or fraction"] = {},
      ["unknown option 'batch'"] = { batch = 2 },
      ["'fraction' must be a number between 0 and 1"] = { fraction = 2 },
    } do
      local got = message(run, make(), { num_epochs = 1, limit_train_batches = limit })
      assert.truthy(got:find(text, 1, true), got)
    end
  end)

  it("of overfit_batches: the same batches each epoch", function()
    local seen, callback = spy()
    run(make(callback), { num_epochs = 3, overfit_batches = 2, eval_dataset = set(8) })
    assert.are.same({ 1, 3, 1, 3, 1, 3 }, seen.train)
    assert.are.same({ 1, 3, 1, 3, 1, 3 }, seen.eval)
  end)

  it("of a dry run: one epoch of a few batches", function()
    local seen, callback = spy()
    local trainer = make(callback)
    run(trainer, { num_epochs = 7, dry_run = 2, eval_dataset = set(8) })
    assert.are.same({ 2, 2 }, { #seen.train, #seen.eval })
    assert.are.equal(2, trainer.run_config.dry_run)
    assert.are.equal(1, trainer.run_config.num_epochs)
    assert.are.equal(2, trainer.run_config.max_updates)
  end)
end)

describe("A slice of a loader", function()
  it("gives the buffers back and can be used again", function()
    local loader = data.DataLoader(set(10), { batch_size = 2 })
    local slice = data.DataLoaderSlice(loader, 2)
    assert.are.equal(2, slice:size())
    assert.are.equal(5, data.DataLoaderSlice(loader, 9):size())
    for _ = 1, 3 do
      local firsts = {}
      for batch in slice:batches() do firsts[#firsts + 1] = batch[1][{ 1, 1 }]:item() end
      assert.are.same({ 1, 3 }, firsts)
    end
    assert.are.equal(1, #loader.idle_buffers)
  end)
end)

describe("sanity_batches", function()
  it("evaluates before the first epoch and records nothing", function()
    local calls = {}
    local function note(name) return function() calls[#calls + 1] = name end end
    local trainer = make{ on_training_run_start = note "run", on_sanity_check_start = note "start",
      on_eval_step_end = note "eval", on_sanity_check_end = note "end",
      on_eval_epoch_end = function(_, t) t.run_history:update_metric("eval_mine", 1) end,
      on_train_epoch_start = note "epoch" }
    local history = run(trainer, { num_epochs = 1, sanity_batches = 2, eval_dataset = set(6) })
    assert.are.same({ "run", "start", "eval", "eval", "end", "epoch", "eval", "eval", "eval" },
      calls)
    assert.are.equal(1, #history:get_metric_values("eval_loss_epoch"))
    assert.are.equal(1, #history:get_metric_values("eval_mine"))
  end)

  it("leaves the run's history in place after an error", function()
    local trainer = make{ on_eval_step_end = function() error("x") end }
    local history = trainer.run_history
    assert.is_false(pcall(run, trainer, { num_epochs = 1, sanity_batches = 1,
      eval_dataset = set(6) }))
    assert.are.equal(history, trainer.run_history)
  end)
end)

describe("A run ends", function()
  it("at min_epochs or min_updates, when told to stop before", function()
    for _, case in ipairs{ { {}, 1, 0 }, { { min_updates = 13 }, 13, 1 },
      { { min_epochs = 2 }, 20, 2 }, { { min_epochs = 2, min_updates = 3 }, 20, 2 } } do
      local stops = {}
      local trainer = make{
        on_train_step_end = function(_, t) t:stop("enough") end,
        on_stop_training = function(_, t, reason)
          stops[#stops + 1] = reason .. " " .. t.update
        end,
      }
      local options = case[1]
      options.num_epochs, options.eval_dataset = 4, set(2)
      local history = run(trainer, options)
      assert.are.same({ "enough " .. case[2] }, stops)
      assert.are.equal(case[2], trainer.update)
      local names = table.concat(history:get_metric_names(), " ")
      assert.are.equal(case[3] > 0, names:find("eval_loss_epoch", 1, true) ~= nil)
      if case[3] > 0 then
        assert.are.equal(case[3], #history:get_metric_values("eval_loss_epoch"))
      end
    end
  end)

  it("when told to stop before its first update, or in an evaluation, which is finished", function()
    local trainer = make{ on_training_run_start = function(_, t) t:stop("at once") end }
    run(trainer, { num_epochs = 1 })
    assert.are.same({ 0, "finished" }, { trainer.update, trainer.state })
    local steps, stopped_at = 0, nil
    trainer = make{ on_eval_step_end = function(_, t)
      steps = steps + 1
      t:stop("in evaluation")
    end, on_stop_training = function(_, t) stopped_at = t.run_history.current_epoch end }
    run(trainer, { num_epochs = 3, eval_dataset = set(6) })
    assert.are.same({ 3, 2 }, { steps, stopped_at })
  end)

  it("after max_time, whatever the minimum", function()
    local reason
    local trainer = make{ on_stop_training = function(_, _, why) reason = why end }
    run(trainer, { max_time = 0.3, min_epochs = 1000000 })
    assert.are.equal("max_time (0.3) is over", reason)
    assert.is_true(trainer.update > 0)
    run(trainer, { max_time = "00:01:00:00", num_epochs = 1 })
    assert.are.equal(10, trainer.update)
    assert.truthy(message(run, trainer, { max_time = "soon" }):find('"DD:HH:MM:SS"', 1, true))
  end)
end)

describe("eval_every", function()
  local function evaluations(options)
    local at = {}
    local trainer = make{ on_eval_epoch_end = function(_, t, is_intermediate)
      assert.is_true(t.model.training == false)
      at[#at + 1] = t.update * (is_intermediate and 1 or -1)
    end, on_train_step_start = function(_, t) assert.is_true(t.model.training) end }
    options.eval_dataset = set(4)
    local history = run(trainer, options)
    assert.are.equal(#at, #history:get_metric_values("eval_loss_epoch"))
    return at
  end

  it("counts updates, batches or epochs", function()
    assert.are.same({ 4, 8, 12, 16, 20 },
      evaluations{ num_epochs = 2, eval_every = { updates = 4 } })
    assert.are.same({ -20, -40 }, evaluations{ num_epochs = 5, eval_every = { epochs = 2 } })
    assert.are.same({ 2, 4, 7, 9 }, evaluations{ num_epochs = 2, eval_every = { batches = 4 },
      gradient_accumulation_steps = 2 })
  end)

  it("counts seconds, looked at after updates", function()
    assert.are.equal(20, #evaluations{ num_epochs = 2, eval_every = { seconds = 1e-9 } })
  end)

  it("is an interval", function()
    assert.truthy(message(run, make(), { num_epochs = 1, eval_dataset = set(2),
      eval_every = { update = 3 } }):find("did you mean 'updates'", 1, true))
  end)
end)

describe("log_every", function()
  it("says in which updates values are logged, recorded and told", function()
    local told = {}
    local trainer = make{
      on_train_batch_loss = function(_, t, _, output)
        t:log("loss", output.loss)
        t:log("twice", t.update * 2)
      end,
      on_log = function(_, t, values, names)
        told[#told + 1] = { t.update, values.twice, table.concat(names, " ") }
        assert.is_number(values.loss)
      end,
    }
    local history = run(trainer, { num_epochs = 1, log_every = { updates = 4 } })
    assert.are.same({ { 4, 8, "loss twice" }, { 8, 16, "loss twice" } }, told)
    assert.are.same({ 8, 16 }, history:get_metric_values("twice"))
    trainer:train{ train_dataset = set(4), num_epochs = 1, log_every = false }
    assert.are.equal(2, #told)
  end)
end)
