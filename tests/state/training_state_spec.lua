-- Runs that go on where they ended: bit by bit, in one process and after SIGKILL, from any update;
-- and what happens to states that are damaged, that do not fit, or that cannot be written.

package.path = "./tests/host/?.lua;./tests/state/?.lua;" .. package.path
local lfs = require "lfs"
local pl = require "perilune"
local process = require "process"
local support = require "support"
local training = require "training"
local class, data, nn, optim = pl.class, pl.data, pl.nn, pl.optim

local entries, fails = support.entries, support.fails

local function small(options)
  options = options or {}
  options.model = options.model or nn.Linear(3, 1)
  options.loss_func = nn.MSELoss()
  options.optimizer = options.optimizer
    or optim.SGD(options.model:parameters(), { lr = 0.1, momentum = 0.9 })
  options.callbacks, options.quiet = options.callbacks or {}, true
  return pl.Trainer(options)
end

local function dataset(n)
  return data.TensorDataset(pl.randn(n, 3), pl.randn(n, 1))
end

local program = process.quote(process.perilune) .. " tests/state/training.lua"

describe("training states", function()
  local folder

  -- In memory where that is possible: what is tested is the order of things, not the disk.
  before_each(function()
    local in_memory = lfs.attributes("/dev/shm", "mode") == "directory"
    local pipe = io.popen((in_memory and "TMPDIR=/dev/shm " or "") .. "mktemp -d")
    folder = pipe:read("*l")
    pipe:close()
  end)
  after_each(function() process.remove(folder) end)

  -- A straight run, and the state of every update of another.
  local function straight()
    pl.manual_seed(11)
    local trainer = training.trainer{ folder = folder }
    training.run(trainer, {})
    return training.outcome(trainer)
  end

  local function saver(updates)
    return { on_train_step_end = function(_, trainer)
      if updates[trainer.update] then
        trainer:save_training_state(("%s/%d"):format(folder, trainer.update))
      end
    end, on_training_run_epoch_end = function(_, trainer)
      if updates.epoch == trainer.run_history.current_epoch then
        trainer:save_training_state(folder .. "/epoch")
      end
    end }
  end

  it("go on bit by bit in one process, from any update", function()
    local expected = straight()
    pl.manual_seed(11)
    local saving = training.trainer{ folder = folder,
      callbacks = { saver{ [1] = true, [5] = true, [7] = true, [15] = true, epoch = 2 } } }
    training.run(saving, {})
    assert.are.equal(expected, training.outcome(saving))
    for _, name in ipairs{ "1", "5", "7", "15", "epoch" } do
      pl.manual_seed(99)
      local trainer = training.trainer{ folder = folder }
      training.run(trainer, { resume_from = folder .. "/" .. name })
      assert.are.equal(expected, training.outcome(trainer), name)
    end
  end)

  -- Three epochs of five updates and their evaluations call 160 hooks.
  it("go on bit by bit in another process, killed at ten random moments", function()
    local function run(where, ...)
      return process.run(table.concat({ program, where, ... }, " "))
    end
    local straight_run = run(folder .. "/a", "every=20")
    assert.are.equal(0, straight_run.code, straight_run.err)
    local seed, killed = os.time(), 0
    math.randomseed(seed)
    local function check_end()
      for _, name in ipairs{ "outcome", "weights.safetensors" } do
        local text = process.read(folder .. "/a/" .. name)
        assert.is_true(text ~= nil and text == process.read(folder .. "/b/" .. name),
          ("%s differs, seed %d"):format(name, seed))
      end
    end
    while killed < 10 do
      local result = run(folder .. "/b", "every=1", "kill=" .. math.random(1, 25),
        "after=" .. math.random(0, 5000))
      assert.is_true(result.code == 128 + 9 or result.code == 0, result.err)
      if process.read(folder .. "/b/weights.safetensors") then
        check_end()
        process.remove(folder .. "/b")
      else
        killed = killed + 1
      end
    end
    local last = run(folder .. "/b", "every=1")
    assert.are.equal(0, last.code, last.err)
    check_end()
    assert.are.same({ "update_14", "update_15" }, entries(folder .. "/b/training_states"))
  end)

  it("go on with max_updates and num_epochs of the call that was interrupted", function()
    local set = dataset(20)
    local trainer = small{ callbacks = { saver{ [3] = true } } }
    trainer:train{ train_dataset = set, max_updates = 4, per_device_batch_size = 5 }
    local again = small()
    again:train{ train_dataset = set, max_updates = 7, per_device_batch_size = 5,
      resume_from = folder .. "/3" }
    assert.are.equal(7, again.update)
    local over = small()
    over:train{ train_dataset = set, num_epochs = 1, per_device_batch_size = 5,
      resume_from = folder .. "/3" }
    assert.are.equal(4, over.update)
  end)

  it("wait for the end of an update and of its hooks", function()
    local counts, told = { name = "counts", n = 0 }, {}
    function counts:on_train_step_end() self.n = self.n + 1 end
    function counts:state_dict() return { n = self.n } end
    function counts:load_state_dict(state) self.n = state.n end
    local trainer = small{ callbacks = { { on_train_step_start = function(_, t)
      if t.update == 2 then
        t:save_training_state(folder .. "/s", { after = function(saved)
          told[#told + 1] = saved
        end })
        assert.is_nil(lfs.attributes(folder .. "/s"))
      end
    end }, counts } }
    trainer:train{ train_dataset = dataset(20), num_epochs = 1, per_device_batch_size = 5 }
    assert.are.same({ true }, told)
    counts.n = 0
    trainer:load_training_state(folder .. "/s")
    assert.are.equal(2, counts.n)
    assert.are.equal(2, trainer.update)
  end)

  it("are not written over by a loss that is not finite", function()
    local trainer = small{ callbacks = { { on_train_step_end = function(_, t)
      t:save_training_state(folder .. "/s")
    end } } }
    local stderr = io.stderr
    local said = {}
    rawset(io, "stderr", { write = function(_, text) said[#said + 1] = text end })
    local ok = pcall(trainer.train, trainer, { num_epochs = 1, train_dataset = data.TensorDataset(
      pl.full({ 4, 3 }, 0 / 0), pl.randn(4, 1)) })
    rawset(io, "stderr", stderr)
    assert.is_true(ok)
    assert.are.same({}, entries(folder))
    assert.truthy(said[1]:find("was not saved: a loss of this epoch is", 1, true), said[1])
  end)

  it("leave the last good one when the disk refuses", function()
    local trainer = small{}
    trainer:save_training_state(folder .. "/s")
    local before = process.read(folder .. "/s/state.json")
    local ffi = require "ffi"
    pcall(ffi.cdef, "int getpid(void);")
    local temporary = ("%s/s.%d.tmp"):format(folder, ffi.C.getpid())
    process.write(temporary, "in the way")
    fails("io", "cannot write", trainer.save_training_state, trainer, folder .. "/s")
    assert.are.equal(before, process.read(folder .. "/s/state.json"))
    os.remove(temporary)
    process.write(folder .. "/file", "")
    fails("io", "in the way", trainer.save_training_state, trainer, folder .. "/file")
    fails("io", "cannot write", trainer.save_training_state, trainer, folder .. "/file/s")
    fails("io", "it has other files in it ('", trainer.save_training_state, trainer, folder)
    assert.are.same({ "file", "s" }, entries(folder))
  end)

  it("say what is wrong with a state", function()
    local trainer = small{}
    local where = folder .. "/s"
    fails("io", "is no training state", trainer.load_training_state, trainer, where)
    trainer:save_training_state(where)
    local text = process.read(where .. "/state.json")
    for n = 0, #text - 2, 7 do
      process.write(where .. "/state.json", text:sub(1, n))
      fails("format", where, trainer.load_training_state, trainer, where)
    end
    for old, new in pairs{ ['"update"'] = '"updat"', ['"format": 1'] = '"format": 2',
      ['"history"'] = '"histori"', ['"random"'] = '"randon"' } do
      process.write(where .. "/state.json", (text:gsub(old, new, 1)))
      fails("format", where, trainer.load_training_state, trainer, where)
    end
    process.write(where .. "/state.json", text)
    fails("shape", "cannot go on from " .. where, function()
      small{ model = nn.Linear(4, 1) }:load_training_state(where)
    end)
    process.write(where .. "/model.safetensors", "")
    fails("format", "model.safetensors is no valid", trainer.load_training_state, trainer, where)
  end)

  it("end in an error and in nothing worse, whatever is in them", function()
    local set, where = dataset(8), folder .. "/s"
    local first = small{ callbacks = { saver{ [1] = true } } }
    first:train{ train_dataset = set, num_epochs = 1, per_device_batch_size = 4 }
    os.rename(folder .. "/1", where)
    local text = process.read(where .. "/state.json")
    local words = { "[]", "{}", "0", "-1", "1e308", '"x"', "true", "null", '{"$number":"nan"}' }
    local refused, place, round = 0, 0, 0
    for start, finish in text:gmatch("()%f[%w%[{\"-][%w.]+()") do
      round = round + 1
      place = place % #words + 1
      process.write(where .. "/state.json",
        text:sub(1, start - 1) .. words[place] .. text:sub(finish))
      local ok, err = pcall(function()
        small():train{ train_dataset = set, max_updates = 2, per_device_batch_size = 4,
          resume_from = where }
      end)
      if not ok then
        refused = refused + 1
        assert.is_string(err.kind)
        assert.is_string(err.message)
      end
    end
    assert.is_true(round > 20 and refused > round / 2)
  end)

  it("refuse to go on inside of an epoch that has changed", function()
    local trainer = small{ callbacks = { saver{ [2] = true } } }
    trainer:train{ train_dataset = dataset(20), num_epochs = 1, per_device_batch_size = 5 }
    local again = small()
    fails("argument", "per_device_batch_size = 5; it is 4 now", again.train, again,
      { train_dataset = dataset(20), num_epochs = 1, per_device_batch_size = 4,
        resume_from = folder .. "/2" })
    fails("argument", "train_dataset:size() = 20; it is 21 now", again.train, again,
      { train_dataset = dataset(21), num_epochs = 1, per_device_batch_size = 5,
        resume_from = folder .. "/2" })
    fails("argument", "gradient_accumulation_steps = 1; it is 2 now", again.train, again,
      { train_dataset = dataset(20), num_epochs = 1, per_device_batch_size = 5,
        gradient_accumulation_steps = 2, resume_from = folder .. "/2" })
  end)

  it("are found by resume_from", function()
    local set = dataset(20)
    local function train(from, root)
      local trainer = small{ root_dir = root or folder }
      trainer:train{ train_dataset = set, num_epochs = 2, per_device_batch_size = 5,
        resume_from = from }
      return trainer
    end
    assert.are.equal(8, train("auto").update)
    local err = fails("io", 'resume_from = "last": no such state in ' .. folder, train, "last")
    assert.is_nil(err.traceback:find("attempt to"))
    fails("io", "is no training state", train, folder .. "/x")
    fails("argument", "nowhere to look", function()
      small{}:train{ train_dataset = set, num_epochs = 1, resume_from = "auto" }
    end)
    local started = {}
    local trainer = small{ root_dir = folder, callbacks = {
      pl.callbacks.SaveTrainingStateCallback{ every = { updates = 3 }, max_checkpoints = 1 } } }
    trainer:train{ train_dataset = set, num_epochs = 1, per_device_batch_size = 5 }
    assert.are.same({ "final", "update_3" }, entries(folder .. "/training_states"))
    local again = small{ root_dir = folder, callbacks = { { on_train_step_start = function(_, t)
      started[#started + 1] = t.update
    end } } }
    again:train{ train_dataset = set, num_epochs = 2, per_device_batch_size = 5,
      resume_from = "last" }
    assert.are.same({ 5, 6, 7, 8 }, started)
  end)

  it("go on after a stop inside of an epoch as if there had been none", function()
    local set, expected = dataset(20), nil
    for _, stop_at in ipairs{ 1000, 6 } do
      pl.manual_seed(8)
      local trainer = small{ root_dir = folder, callbacks = {
        pl.callbacks.SaveTrainingStateCallback(), { on_optimizer_step_end = function(_, t)
          if t.update == stop_at then t:stop() end
        end } } }
      local options = { train_dataset = set, eval_dataset = set, num_epochs = 3,
        per_device_batch_size = 5 }
      trainer:train(options)
      local again = small{ root_dir = folder }
      options.resume_from = "last"
      again:train(options)
      local outcome = { again.model.weight:totable(), again.run_history:state_dict(), again.update }
      expected = expected or outcome
      assert.are.same(expected, outcome)
      process.remove(folder)
    end
  end)

  it("replay datasets that only iterate", function()
    local Stream = class("Stream", data.IterableDataset)
    function Stream:iterate()
      local i = 0
      return function()
        i = i + 1
        if i <= 12 then return pl.tensor{ i, i * math.random(), 1 }, pl.tensor{ i / 12 } end
      end
    end
    local function run(from)
      pl.manual_seed(4)
      local trainer = small{ callbacks = { saver{ [2] = true } } }
      trainer:train{ train_dataset = Stream(), num_epochs = 2, per_device_batch_size = 4,
        resume_from = from }
      return trainer.model.weight:totable()
    end
    local expected = run()
    assert.are.same(expected, run(folder .. "/2"))
  end)

  it("are left by Ctrl-C where the trainer has a root_dir", function()
    local engine = pl.engine
    local trainer = small{ root_dir = folder, callbacks = { { on_train_step_end = function(_, t)
      if t.update == 2 then engine.C.pl_interrupt_raise(2) end
    end } } }
    local options = { train_dataset = dataset(20), num_epochs = 1, per_device_batch_size = 5 }
    fails("interrupted", "the state was saved in " .. folder .. "/interrupted", trainer.train,
      trainer, options)
    local again = small{ root_dir = folder }
    options.resume_from = "auto"
    again:train(options)
    assert.are.equal(4, again.update)
  end)
end)
