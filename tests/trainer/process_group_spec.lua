-- Everything that ranks must agree on goes through the process group: two trainers in one process,
-- each a coroutine that rests in every collective until the other has come.
local pl = require "perilune"
local context = require "perilune.context"
local coroutines = require "perilune.coroutines"
local terminal = require "perilune.terminal"
local support = dofile "tests/state/support.lua"
local process = dofile "tests/host/process.lua"
local ProcessGroup = require "perilune.process_group"
local Strategy = require "perilune.strategy"
local class, nn, optim, data = pl.class, pl.nn, pl.optim, pl.data

local FakeGroup = class("FakeGroup", ProcessGroup)

function FakeGroup:init(rank, rounds)
  self.rank, self.size, self.local_rank = rank, 2, 0
  self.rounds, self.round = rounds, 0
end

local FakeStrategy = class("FakeStrategy", Strategy)
function FakeStrategy:init(group) self.group = group end
function FakeStrategy:create_process_group() return self.group end

-- The scopes of this rank's run are left while the other one works.
local function rest(trainer)
  local entered = {}
  for _, scope in ipairs{ trainer.eval_scope, trainer.train_scope } do
    local before = context.current()
    scope:leave()
    if context.current() ~= before then table.insert(entered, 1, scope) end
  end
  coroutines.yield()
  for _, scope in ipairs(entered) do scope:enter() end
end

local function all(self, value)
  self.round = self.round + 1
  local round = self.rounds[self.round] or {}
  self.rounds[self.round] = round
  round[self.rank + 1] = { value }
  while not (round[1] and round[2]) do rest(self.trainer) end
  return { round[1][1], round[2][1] }
end

FakeGroup.all_gather = all
function FakeGroup:broadcast(value, source) return all(self, value)[(source or 0) + 1] end
function FakeGroup:any(flag)
  local flags = all(self, flag and true or false)
  return flags[1] or flags[2]
end
function FakeGroup:gather(tensor) return pl.cat(all(self, tensor), 1) end
function FakeGroup:sum(numbers)
  local lists, sums = all(self, numbers), {}
  for i = 1, #numbers do sums[i] = lists[1][i] + lists[2][i] end
  return sums
end

-- Runs f(trainer, rank) on both ranks in turn, and says who was left waiting.
local function on_both(make, f)
  local rounds, threads, trainers, results = {}, {}, {}, {}
  for rank = 0, 1 do
    local group = FakeGroup(rank, rounds)
    local trainer = make(group, rank)
    group.trainer, trainers[rank] = trainer, trainer
    threads[rank] = coroutine.create(function() results[rank] = f(trainer, rank) end)
  end
  for _ = 1, 10000 do
    local left = 0
    for rank = 0, 1 do
      if coroutine.status(threads[rank]) == "suspended" then
        left = left + 1
        local ok, err = coroutines.resume(threads[rank])
        if not ok then error(err, 0) end
      end
    end
    if left == 0 then break end
  end
  for rank = 0, 1 do
    assert.are.equal("dead", coroutine.status(threads[rank]), "rank " .. rank .. " waits")
  end
  assert.are.equal(trainers[0].process_group.round, trainers[1].process_group.round)
  return trainers, results
end

local set, eval_set

local function maker(callbacks, options)
  return function(group, rank)
    pl.manual_seed(3)
    local model, Trainer = nn.Linear(3, 4), options and options.class or pl.Trainer
    return Trainer{ model = model, loss_func = nn.CrossEntropyLoss(),
      strategy = group and FakeStrategy(group),
      optimizer = optim.SGD(model:parameters(), { lr = 0 }), metrics = { "accuracy",
        pl.metrics.ConfusionMatrix(4) },
      callbacks = callbacks and callbacks(rank) or {}, quiet = options == nil or options.quiet,
      root_dir = options and options.root_dir and options.root_dir(rank) or nil }
  end
end

local function run(extra)
  local o = { train_dataset = set, eval_dataset = eval_set, num_epochs = 2,
    per_device_batch_size = 2 }
  for name, value in pairs(extra or {}) do o[name] = value end
  return o
end

describe("Two ranks", function()
  setup(function()
    pl.manual_seed(9)
    set = data.TensorDataset(pl.arange(1, 54):float():reshape(18, 3), pl.randint(1, 4, { 18 }))
    eval_set = data.TensorDataset(pl.randn(7, 3), pl.randint(1, 4, { 7 }))
  end)

  it("share the samples, and make as many updates", function()
    local seen = {}
    local function watch()
      return { { on_train_step_start = function(_, trainer, batch)
        for _, row in ipairs(batch[1]:totable()) do
          local key = ("%d %g"):format(trainer.run_history.current_epoch, row[1])
          seen[key] = (seen[key] or 0) + 1
        end
      end } }
    end
    local trainers = on_both(maker(watch), function(t) t:train(run()) end)
    local counts = { 0, 0 }
    for _, n in pairs(seen) do counts[n] = counts[n] + 1 end
    -- 9 batches of an epoch for two: the first one again, so that both make five.
    assert.are.same({ 2 * 16, 2 * 2 }, counts)
    assert.are.same({ 10, 10 }, { trainers[0].update, trainers[1].update })
    assert.are.equal(4, trainers[0].run_config.train_total_batch_size)
    assert.are.equal(5, trainers[0].run_config.num_update_steps_per_epoch)
  end)

  it("record what all have measured, each sample of an evaluation once", function()
    local Doubling = class("Doubling", pl.Trainer)
    function Doubling:calculate_eval_batch_loss(batch)
      local output = pl.Trainer.calculate_eval_batch_loss(self, batch)
      output.losses = { { "double", output.loss * 2 } }
      return output
    end
    local trainers = on_both(maker(nil, { class = Doubling, quiet = true }), function(t)
      t:train(run())
    end)
    local alone = maker()(nil)
    local results = alone:evaluate{ dataset = eval_set, per_device_batch_size = 2 }
    for rank = 0, 1 do
      local history = trainers[rank].run_history
      assert.is_near(results.evaluation_loss, history:get_latest_metric("eval_loss_epoch"), 1e-9)
      assert.is_near(2 * results.evaluation_loss, history:get_latest_metric("eval_double_epoch"),
        1e-9)
      assert.are.equal(results.evaluation_accuracy, history:get_latest_metric("eval_accuracy"))
      assert.are.same(results.evaluation_confusion_matrix,
        history:get_latest_metric("eval_confusion_matrix"))
      assert.are.same(trainers[0].run_history:state_dict(), history:state_dict())
    end
  end)

  it("stop together, whoever asked", function()
    local told = {}
    local function stop_one(rank)
      return { { on_train_step_end = function(_, t)
        if rank == 1 and t.update == 3 then t:stop("rank 1 has enough") end
      end, on_stop_training = function() told[#told + 1] = rank end } }
    end
    local trainers = on_both(maker(stop_one), function(t) t:train(run()) end)
    assert.are.same({ 3, 3 }, { trainers[0].update, trainers[1].update })
    assert.are.equal(2, #told)
    local function abort_one(rank)
      return { { on_train_step_end = function(_, t)
        if rank == 1 and t.update == 2 then t:abort() end
      end } }
    end
    trainers = on_both(maker(abort_one), function(t) t:train(run{ min_updates = 8 }) end)
    assert.are.same({ 2, 2 }, { trainers[0].update, trainers[1].update })
  end)

  it("look at one clock for intervals of seconds, and for max_time", function()
    local evaluations = { 0, 0 }
    local function count(rank)
      local function later(_, t)
        local clock = t.eval_interval
        if rank == 1 and t.update == 4 then clock.since = clock.since - 60 end
      end
      return { { on_train_step_start = later, on_eval_epoch_start = function()
        evaluations[rank + 1] = evaluations[rank + 1] + 1
      end } }
    end
    on_both(maker(count), function(t) t:train(run{ eval_every = { seconds = 30 } }) end)
    assert.are.same({ 1, 1 }, evaluations)
    local function hurry(rank)
      return { { on_train_step_end = function(_, t)
        if rank == 1 and t.update == 3 then t.deadline = 0 end
      end } }
    end
    local trainers = on_both(maker(hurry), function(t)
      t:train(run{ max_time = 1000, min_updates = 8 })
    end)
    assert.are.same({ 3, 3 }, { trainers[0].update, trainers[1].update })
  end)

  it("gather tensors, save and print once", function()
    local folder, printed, print_before = process.folder(), {}, terminal.print
    terminal.print = function(text) printed[#printed + 1] = text end
    local options = { quiet = false, root_dir = function(rank) return folder .. "/" .. rank end }
    local ok, err = pcall(on_both, maker(function()
      return { pl.callbacks.SaveTrainingStateCallback{ every = { updates = 3 } },
        pl.callbacks.LogMetricsCallback() }
    end, options), function(t)
      t:train(run())
      t:save_checkpoint(t.root_dir .. "/weights.safetensors")
      assert.are.same({ 5, 5 }, t:gather(pl.tensor{ 5 }):totable())
      t:print("done")
    end)
    terminal.print = print_before
    assert.is_true(ok, tostring(err))
    assert.truthy(#support.entries(folder .. "/0") > 0)
    assert.are.same({ "0" }, support.entries(folder))
    local done = 0
    for _, text in ipairs(printed) do done = done + (text == "done" and 1 or 0) end
    assert.are.equal(1, done)
    assert.are.equal(2 * 2 + 1, #printed)
    process.remove(folder)
  end)

  it("save no state where the loss of one of them is not finite", function()
    local folder, saved = process.folder(), {}
    local function spoil(rank)
      return { { on_train_step_end = function(_, t)
        if rank == 1 and t.update == 2 then
          t.train_loss_tracker:update(pl.tensor{ 0 / 0 }:sum(), 1, t.update, 2)
        elseif t.update == 3 then
          t:save_training_state(folder .. "/state", { after = function(ok)
            saved[#saved + 1] = ok
          end })
        end
      end } }
    end
    local said = support.complaints_of(on_both, maker(spoil), function(t) t:train(run()) end)
    assert.are.same({ false, false }, saved)
    assert.are.same({}, support.entries(folder))
    assert.truthy(said:find("a loss of this epoch is", 1, true), said)
    process.remove(folder)
  end)

  it("refuse to share what only iterates", function()
    local Stream = class("Stream", data.IterableDataset)
    support.fails("argument", "cannot be shared between the ranks", data.DataLoader, Stream(),
      { process_group = FakeGroup(0, {}) })
  end)
end)
