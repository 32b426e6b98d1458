-- Saving while the run goes on: what was copied arrives, the last good one stays, whatever the disk
-- does, and nothing is lost at the end.

package.path = "./tests/host/?.lua;./tests/state/?.lua;" .. package.path
local ffi = require "ffi"
local pl = require "perilune"
local process = require "process"
local support = require "support"
local callbacks, data, nn, optim = pl.callbacks, pl.data, pl.nn, pl.optim
local entries = support.entries

pcall(ffi.cdef, "int getpid(void);")

local function trainer_with(list, options)
  local model = nn.Linear(3, 1)
  return pl.Trainer{ model = model, loss_func = nn.MSELoss(), callbacks = list, quiet = true,
    optimizer = optim.SGD(model:parameters(), { lr = 0.1 }), root_dir = options and options.root }
end

local function train(trainer, epochs)
  return trainer:train{ train_dataset = data.TensorDataset(pl.randn(20, 3), pl.randn(20, 1)),
    num_epochs = epochs or 2, per_device_batch_size = 5 }
end

describe("saving in a run", function()
  local folder
  before_each(function() folder = process.folder() end)
  after_each(function() process.remove(folder) end)

  -- The name under which the engine writes; a pipe there holds the thread up until it is read.
  local function hold(path)
    assert.are.equal(0, os.execute(("mkfifo '%s.%d.tmp'"):format(path, ffi.C.getpid())))
  end

  local function let_go(path)
    os.execute(("cat '%s.%d.tmp' >/dev/null &"):format(path, ffi.C.getpid()))
  end

  it("keeps what was there when it was asked for", function()
    local weights = {}
    local trainer = trainer_with{ { on_train_step_end = function(_, t)
      weights[t.update] = t.model.weight:totable()
      t:save_checkpoint(("%s/%d"):format(folder, t.update))
      pl.no_grad(function() t.model.weight:mul_(2) end)
    end } }
    train(trainer)
    assert.are.equal(8, #weights)
    for update, expected in ipairs(weights) do
      local found = pl.safetensors.load(("%s/%d"):format(folder, update))
      assert.are.same(expected, found.weight:totable())
    end
  end)

  it("does not hold the run up, and is heard of at an edge", function()
    local path, at = folder .. "/slow", {}
    local trainer = trainer_with{ { on_train_step_start = function(_, t)
      if t.update == 2 then
        hold(path)
        t:save_checkpoint(path, { go_on = true, after = function(saved)
          at[#at + 1] = { t.update, saved }
        end })
      end
      if t.update == 7 then let_go(path) end
    end } }
    local said = support.complaints_of(train, trainer, 4)
    assert.are.equal(1, #at)
    assert.is_true(at[1][1] >= 7 and at[1][2] == false)  -- a pipe cannot be synced
    assert.truthy(said:find("the checkpoint " .. path .. " was not saved: cannot write", 1, true))
  end)

  it("is complete when wait_for_saves, load_checkpoint or the run come back", function()
    local there = {}
    local trainer = trainer_with{ { on_train_step_start = function(_, t)
      local path = ("%s/%d"):format(folder, t.update)
      t:save_checkpoint(path)
      if t.update == 1 then t:wait_for_saves() elseif t.update == 2 then t:load_checkpoint(path) end
      there[t.update] = process.read(path) ~= nil
    end } }
    train(trainer, 1)
    assert.is_true(there[1] and there[2])
    assert.are.same({ "1", "2", "3", "4" }, entries(folder))
    trainer:save_training_state(folder .. "/idle")
    assert.is_string(process.read(folder .. "/idle/state.json"))
  end)

  it("gives a state its name when all of it is on the disk", function()
    local seen, torn = 0, {}
    local function look()
      for _, name in ipairs(entries(folder)) do
        local files = name:find("%.tmp$") and {} or entries(folder .. "/" .. name)
        if files[1] and #files ~= 3 then torn[#torn + 1] = name end
        seen = seen + (files[1] and 1 or 0)
      end
    end
    local model = nn.Linear(700, 700)
    local trainer = pl.Trainer{ model = model, loss_func = nn.MSELoss(), quiet = true,
      optimizer = optim.SGD(model:parameters(), { lr = 0.1, momentum = 0.9 }), callbacks = {
        { on_train_step_start = look, on_train_batch_loss = look, on_backward_end = look,
          on_optimizer_step_end = look },
        callbacks.SaveTrainingStateCallback{ save_dir = folder, every = { updates = 1 } } } }
    trainer:train{ train_dataset = data.TensorDataset(pl.randn(20, 700), pl.randn(20, 700)),
      num_epochs = 1, per_device_batch_size = 2 }
    assert.are.same({}, torn)
    assert.is_true(seen > 0)
  end)

  it("raises at an edge what was not said to go on", function()
    local told
    local trainer = trainer_with{ { on_train_step_start = function(_, t)
      if t.update == 2 then t:save_checkpoint(folder .. "/file") end
    end, on_exception = function(_, _, err) told = err end } }
    os.execute(("mkdir '%s/file'"):format(folder))
    local err = support.fails("io", "cannot write " .. folder .. "/file: Is a directory", train,
      trainer)
    assert.are.equal(err, told)
    assert.are.equal("failed", trainer.state)
    assert.are.same({ "file" }, entries(folder))
  end)

  it("prunes what is surplus only when the new one is on the disk", function()
    local function checkpoint_run(spoiled)
      local seen
      local checkpoint = callbacks.ModelCheckpoint{ every = { updates = 1 }, dirpath = folder,
        filename = "{update}", save_weights_only = true }
      local trainer = trainer_with{ { on_train_step_start = function(_, t)
        t:wait_for_saves()
        seen = t.update == 3 and entries(folder) or seen
        if t.update == spoiled then hold(folder .. "/" .. spoiled .. ".safetensors") end
      end, on_train_step_end = function(_, t)
        if t.update == spoiled then let_go(folder .. "/" .. spoiled .. ".safetensors") end
      end }, checkpoint }
      support.complaints_of(function()
        trainer:train{ train_dataset = data.TensorDataset(pl.randn(20, 3), pl.randn(20, 1)),
          max_updates = 3, per_device_batch_size = 5 }
      end)
      return seen, checkpoint:best_model_path()
    end
    local seen, best = checkpoint_run(0)
    assert.are.same({ { "2.safetensors" }, folder .. "/3.safetensors" }, { seen, best })
    assert.are.same({ "3.safetensors" }, entries(folder))
    process.remove(folder)
    seen, best = checkpoint_run(3)
    assert.are.same({ { "2.safetensors" }, folder .. "/2.safetensors" }, { seen, best })
    assert.are.same({ "2.safetensors" }, entries(folder))
  end)

  it("is waited for when the process ends in the middle of a run", function()
    local script = process.write(folder .. "/script.lua", [[
      local pl = require "perilune"
      local model = pl.nn.Linear(512, 512)
      local trainer = pl.Trainer{ model = model, loss_func = pl.nn.MSELoss(), callbacks = {
        pl.callbacks.SaveTrainingStateCallback{ save_dir = arg[1], every = { updates = 1 } } },
        quiet = true, optimizer = pl.optim.SGD(model:parameters(), { lr = 0.1 }) }
      for _ in trainer:steps{ num_epochs = 1, per_device_batch_size = 2,
        train_dataset = pl.data.TensorDataset(pl.randn(8, 512), pl.randn(8, 512)) } do
        if trainer.update == 3 then os.exit(tonumber(arg[2])) end
      end]])
    local result = process.perilune_run{ script, folder .. "/states", "4" }
    assert.are.equal(4, result.code, result.err)
    assert.are.same({ "update_1", "update_2", "update_3" }, entries(folder .. "/states"))
  end)
end)

-- A disk of 256 KiB in a process of its own, where mounting is allowed.
local disk = "unshare -m sh -c 'mount -t tmpfs -o size=256k none \"$0\" && exec \"$@\"' "
local probe = process.folder()
local may_mount = process.run(disk .. process.quote(probe) .. " true").code == 0
process.remove(probe)

describe("a disk that refuses", function()
  local folder
  before_each(function() folder = process.folder() end)
  after_each(function() process.remove(folder) end)

  -- Weights take 40 KB and so does each state; what is on the disk at the end is printed, since the
  -- disk ends with the process.
  local script = [[
    local pl = require "perilune"
    local directory = require "perilune.state.directory"
    local where, spoil = ...
    pl.manual_seed(3)
    local model = pl.nn.Linear(100, 100)
    local trainer = pl.Trainer{ model = model, loss_func = pl.nn.MSELoss(), quiet = true,
      optimizer = pl.optim.SGD(model:parameters(), { lr = 0.01 }), root_dir = where, callbacks = {
        { on_train_step_start = function(_, t)
          if t.update == 4 then
            t:wait_for_saves()
            os.execute(spoil)
          end
        end },
        pl.callbacks.SaveTrainingStateCallback{ every = { updates = 1 }, max_checkpoints = 1,
          save_at_end = false },
        pl.callbacks.SaveBestModelCallback{ save_path = where .. "/best",
          load_saved_checkpoint = false } } }
    trainer:train{ train_dataset = pl.data.TensorDataset(pl.randn(16, 100), pl.randn(16, 100)),
      num_epochs = 4, per_device_batch_size = 8 }
    print("update", trainer.update)
    for name in require("lfs").dir(where .. "/training_states") do
      if name:find("update") then print(name) end
    end
    local states = directory.list(where .. "/training_states")
    trainer:load_training_state(states[#states].path)
    print("state", trainer.update)
    trainer:load_checkpoint(where .. "/best")
  ]]

  local function run(prefix, spoil)
    local path = process.write(folder .. "/script.lua", script)
    local where = folder .. "/disk"
    os.execute("mkdir " .. where)
    return process.run(("%s%s %s %s %s"):format(prefix:gsub("%%where", where),
      process.quote(process.perilune), path, where, process.quote(spoil:gsub("%%where", where))))
  end

  local function check(result, reason)
    assert.are.equal(0, result.code, result.err)
    assert.are.equal("update\t8\nupdate_3\nstate\t3\n", result.out)
    assert.truthy(result.err:find("update_4 was not saved: cannot write .*" .. reason), result.err)
    assert.truthy(result.err:find("best was not saved: cannot write .*" .. reason), result.err)
  end

  it("because it is full leaves the last good state, and the run goes on", function()
    if not may_mount then return pending("mounting a small disk is not allowed here") end
    check(run(disk .. "%where ", "head -c 1M /dev/zero >%where/rest 2>/dev/null"),
      "No space left on device")
  end)

  it("because it may not be written leaves the last good state, and the run goes on", function()
    if not may_mount then return pending("mounting a small disk is not allowed here") end
    check(run(disk .. "%where ", "mount -o remount,ro %where"), "Read%-only file system")
  end)

  it("because files may not grow any more is reported as such", function()
    local path = process.write(folder .. "/script.lua", [[
      local pl = require "perilune"
      local model = pl.nn.Linear(100, 100)
      local trainer = pl.Trainer{ model = model, callbacks = {}, quiet = true }
      print(pcall(trainer.save_checkpoint, trainer, arg[1])) ]])
    local result = process.run(("trap '' XFSZ; ulimit -f 8; %s %s %s/weights"):format(
      process.quote(process.perilune), path, folder))
    assert.truthy(result.out:find("cannot write " .. folder .. "/weights: File too large", 1, true),
      result.out)
    assert.are.same({ "script.lua" }, entries(folder))
  end)
end)
