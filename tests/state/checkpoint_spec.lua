-- Weights to export, and the callbacks that save and stop.

package.path = "./tests/host/?.lua;./tests/state/?.lua;" .. package.path
local pl = require "perilune"
local process = require "process"
local support = require "support"
local callbacks, class, data, nn, optim = pl.callbacks, pl.class, pl.data, pl.nn, pl.optim

local entries, fails = support.entries, support.fails

local function make(options)
  options = options or {}
  options.model = options.model or nn.Sequential{ nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1) }
  options.loss_func = nn.MSELoss()
  options.optimizer = optim.SGD(options.model:parameters(), { lr = 0.05, momentum = 0.9 })
  options.callbacks, options.quiet = options.callbacks or {}, true
  return pl.Trainer(options)
end

local function dataset(n)
  return data.TensorDataset(pl.randn(n, 3), pl.randn(n, 1))
end

-- Records a value of a metric at each epoch's end, before the callbacks after it look.
local function scores(values)
  return { on_eval_epoch_end = function(_, trainer)
    trainer.run_history:update_metric("score", values[trainer.run_history.current_epoch])
  end }
end

local function train(list, epochs, options)
  local trainer = make{ callbacks = list, root_dir = options and options.root_dir }
  trainer:train{ train_dataset = dataset(8), eval_dataset = dataset(4), num_epochs = epochs,
    per_device_batch_size = 4 }
  return trainer
end

describe("save_checkpoint", function()
  local folder, path
  before_each(function()
    folder = process.folder()
    path = folder .. "/deep/er/model.safetensors"
  end)
  after_each(function() process.remove(folder) end)

  it("writes weights under PyTorch's names", function()
    local trainer = make()
    trainer:save_checkpoint(path)
    local read, metadata = pl.safetensors.load(path)
    assert.are.same({ "0.weight", "0.bias", "2.weight", "2.bias" },
      { read[1], read[2], read[3], read[4], read[5] })
    assert.are.same(trainer.model[3].weight:totable(), read["2.weight"]:totable())
    assert.are.equal("pt", metadata.format)
    local other = make()
    other:load_checkpoint(path)
    assert.are.same(trainer.model[1].weight:totable(), other.model[1].weight:totable())
  end)

  it("keeps the optimizer and values where asked, in the same file", function()
    local trainer = make()
    trainer:train{ train_dataset = dataset(8), num_epochs = 1 }
    trainer:save_checkpoint(path, { save_optimizer = true, values = { note = { 1 / 3 } } })
    local other = make()
    assert.are.same({ note = { 1 / 3 } }, other:load_checkpoint(path))
    local function momentum(t)
      return t.optimizer:state_dict().state[1].momentum_buffer:totable()
    end
    assert.are.same(momentum(trainer), momentum(other))
    local fresh = make()
    fresh:load_checkpoint(path, { load_optimizer = false })
    assert.is_nil(fresh.optimizer:state_dict().state[1])
    local without = pl.Trainer{ model = trainer.model, callbacks = {}, quiet = true }
    fails("argument", "the file has a optimizer", without.load_checkpoint, without, path)
  end)

  it("loads files of others, strictly or not", function()
    pl.safetensors.save(folder .. "/x", { ["0.weight"] = pl.ones(4, 3), more = pl.zeros(1) })
    local trainer = make()
    fails("argument", "lacks '1.bias'", trainer.load_checkpoint, trainer, folder .. "/x")
    trainer:load_checkpoint(folder .. "/x", { strict = false })
    assert.are.equal(1, trainer.model[1].weight[{ 1, 1 }]:item())
  end)
end)

describe("callbacks that save", function()
  local folder
  before_each(function() folder = process.folder() end)
  after_each(function() process.remove(folder) end)

  it("SaveBestModelCallback keeps the best epoch and loads it back", function()
    local path, weights = folder .. "/best.safetensors", {}
    local best = callbacks.SaveBestModelCallback{ save_path = path, watch_metric = "score",
      greater_is_better = true }
    local trainer = train({ scores{ 0.5, 0.9, 0 / 0, 0.7 }, { on_train_epoch_end = function(_, t)
      weights[t.run_history.current_epoch] = t.model[1].weight:totable()
    end }, best }, 4)
    assert.are.equal(2, best.best_epoch)
    assert.are.same(weights[2], trainer.model[1].weight:totable())
    local values = make():load_checkpoint(path)
    assert.are.same({ epoch = 2, update = 4, score = 0.9 }, values)
  end)

  it("SaveBestModelCallback watches the training loss where nothing is evaluated", function()
    local best = callbacks.SaveBestModelCallback{ save_path = folder .. "/b" }
    local trainer = make{ callbacks = { best } }
    trainer:train{ train_dataset = dataset(8), num_epochs = 2 }
    assert.is_number(best.best_metric)
    assert.are.same({ "b" }, entries(folder))
    fails("argument", "no metric", function()
      train({ callbacks.SaveBestModelCallback{ save_path = folder .. "/c",
        watch_metric = "x" } }, 1)
    end)
  end)

  it("go on where the disk refuses", function()
    process.write(folder .. "/file", "")
    local said = support.complaints_of(function()
      local trainer = train({
        callbacks.SaveBestModelCallback{ save_path = folder .. "/file/b" },
        callbacks.SaveTrainingStateCallback{ save_dir = folder .. "/file/s",
          every = { updates = 1 } },
        callbacks.ModelCheckpoint{ dirpath = folder .. "/file/m" },
      }, 2)
      assert.are.equal(4, trainer.update)
    end)
    assert.truthy(said:find("file/b was not saved: cannot write", 1, true), said)
    assert.truthy(said:find("file/s/update_1 was not saved: cannot write", 1, true), said)
    assert.truthy(said:find("file/m/epoch=2-update=4 was not saved", 1, true), said)
  end)

  it("SaveTrainingStateCallback saves at its intervals and prunes the oldest", function()
    train({ callbacks.SaveTrainingStateCallback{ save_dir = "states", every = { updates = 3 },
      save_every_n_epochs = 2, max_checkpoints = 2 } }, 4, { root_dir = folder })
    assert.are.same({ "epoch_4", "final", "update_6" }, entries(folder .. "/states"))
    train({ callbacks.SaveTrainingStateCallback{ save_dir = folder .. "/b", save_at_end = false,
      every = { batches = 5 } } }, 4)
    assert.are.same({ "update_5" }, entries(folder .. "/b"))
    fails("argument", "give `every`", callbacks.SaveTrainingStateCallback, { save_at_end = false })
  end)

  it("SaveTrainingStateCallback prunes what a killed run left", function()
    local function saver(most)
      return callbacks.SaveTrainingStateCallback{ save_dir = folder .. "/left", save_at_end = false,
        every = { updates = 1 }, max_checkpoints = most }
    end
    train({ saver() }, 2)
    assert.are.same({ "update_1", "update_2", "update_3", "update_4" }, entries(folder .. "/left"))
    make{ callbacks = { saver(1) } }:train{ train_dataset = dataset(8), num_epochs = 2,
      per_device_batch_size = 4, resume_from = folder .. "/left/update_4" }
    assert.are.same({ "update_4" }, entries(folder .. "/left"))
  end)

  it("ModelCheckpoint keeps the best k, last, and names files by metrics", function()
    local checkpoint = callbacks.ModelCheckpoint{ monitor = "score", mode = "max", save_top_k = 2,
      save_last = true, filename = "{epoch}-{score:%.2f}" }
    train({ scores{ 0.5, 0.9, 0.1, 0.7, 0 / 0 }, checkpoint }, 5, { root_dir = folder })
    assert.are.same({ "2-0.90", "4-0.70", "last" }, entries(folder .. "/checkpoints"))
    assert.are.equal(folder .. "/checkpoints/2-0.90", checkpoint:best_model_path())
    local trainer = make{ root_dir = folder, callbacks = { checkpoint } }
    local seen
    trainer.callback_handler:add_callback{ on_train_step_start = function(_, t)
      seen = seen or t.update
    end }
    trainer:train{ train_dataset = dataset(8), eval_dataset = dataset(4), num_epochs = 3,
      per_device_batch_size = 4, resume_from = "best" }
    assert.are.equal(5, seen)
  end)

  it("ModelCheckpoint without a metric keeps the newest, of weights too", function()
    train({ callbacks.ModelCheckpoint{ every = { updates = 1 }, save_top_k = 2,
      dirpath = folder } }, 2)
    assert.are.same({ "epoch=2-update=3", "epoch=2-update=4" }, entries(folder))
    process.remove(folder)
    train({ callbacks.ModelCheckpoint{ save_weights_only = true, dirpath = folder,
      save_top_k = -1 } }, 2)
    assert.are.same({ "epoch=1-update=2.safetensors", "epoch=2-update=4.safetensors" },
      entries(folder))
    make():load_checkpoint(folder .. "/epoch=1-update=2.safetensors")
  end)

  it("ModelCheckpoint removes nothing outside of its directory, whatever a state says", function()
    local checkpoint = callbacks.ModelCheckpoint{ monitor = "score" }
    local trainer = train({ scores{ 0.5 }, checkpoint }, 1, { root_dir = folder })
    local path = checkpoint:best_model_path()
    local text = process.read(path .. "/state.json")
    for _, name in ipairs{ "/etc", "../x", "a/../../x", "..", "", "a//b" } do
      process.write(path .. "/state.json",
        (text:gsub('"epoch=1%-update=2"', '"' .. name .. '"')))
      assert.are_not.equal(text, process.read(path .. "/state.json"))
      fails("format", "no name in its directory", trainer.load_training_state, trainer, path)
    end
  end)

  it("OnExceptionCheckpoint saves when a run fails, and the run can be taken up", function()
    local checkpoint = callbacks.OnExceptionCheckpoint()
    local fail = true
    local Failing = class("Failing", callbacks.TrainerCallback)
    function Failing.on_train_batch_loss(_, trainer)
      if fail and trainer.update == 3 then error("no") end
    end
    fails("user", "no", train, { checkpoint, Failing }, 3, { root_dir = folder })
    assert.are.same({ "on_exception" }, entries(folder .. "/checkpoints"))
    fail = false
    local trainer = make{ root_dir = folder, callbacks = { checkpoint, Failing } }
    trainer:train{ train_dataset = dataset(8), eval_dataset = dataset(4), num_epochs = 3,
      per_device_batch_size = 4, resume_from = "last" }
    assert.are.equal(6, trainer.update)
    assert.are.same({}, entries(folder .. "/checkpoints"))
  end)
end)

describe("callbacks that stop", function()
  local function epochs_of(callback, values)
    local trainer = train({ scores(values), callback }, #values)
    return trainer.update / 2
  end

  it("EarlyStoppingCallback waits for its patience", function()
    local function stopping(options)
      options.watch_metric = "score"
      return callbacks.EarlyStoppingCallback(options)
    end
    assert.are.equal(3, epochs_of(stopping{}, { 1, 0.5, 0.495, 0.1 }))
    assert.are.equal(4, epochs_of(stopping{ early_stopping_threshold = 0 }, { 1, 0.5, 0.495, 0.1 }))
    assert.are.equal(5, epochs_of(stopping{ early_stopping_patience = 2 }, { 5, 6, 4, 6, 6, 1 }))
    assert.are.equal(2, epochs_of(stopping{ greater_is_better = true }, { 1, 0.5, 2 }))
    assert.are.equal(3, epochs_of(stopping{ early_stopping_patience = 2 }, { 1, 0 / 0, 0 / 0, 0 }))
  end)

  it("EarlyStopping says why", function()
    local function reason(options, values, epochs)
      options.monitor = "score"
      local callback = callbacks.EarlyStopping(options)
      assert.are.equal(epochs, epochs_of(callback, values))
      return callback.stopping_reason
    end
    assert.are.equal("patience", reason({ patience = 2 }, { 1, 2, 2, 0 }, 3))
    assert.are.equal("not_finite", reason({}, { 1, math.huge, 2 }, 2))
    assert.are.equal("target_reached", reason({ stopping_threshold = 0.5 }, { 1, 0.4, 0.3 }, 2))
    assert.are.equal("diverged", reason({ divergence_threshold = 5 }, { 1, 6, 1 }, 2))
    assert.are.equal("target_reached",
      reason({ mode = "max", stopping_threshold = 0.9 }, { 0.1, 0.95, 1 }, 2))
    assert.are.equal("patience",
      reason({ patience = 1, every = { epochs = 2 } }, { 1, 2, 9, 3, 0 }, 4))
    assert.is_nil(reason({ patience = 2, min_delta = 0.1 }, { 1, 0.8, 0.79, 0.6 }, 4))
  end)

  it("keep their count in the training state", function()
    local folder = process.folder()
    local first = callbacks.EarlyStopping{ monitor = "score" }
    first.best, first.wait_count = 0.25, 2
    make{ callbacks = { first } }:save_training_state(folder .. "/s")
    local second = callbacks.EarlyStopping{ monitor = "score" }
    make{ callbacks = { second } }:load_training_state(folder .. "/s")
    assert.are.same({ 0.25, 2 }, { second.best, second.wait_count })
    process.remove(folder)
  end)
end)
