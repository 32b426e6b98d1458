-- What users of Lightning complain about most, by its number in the list of those complaints; one
-- process.

package.path = "./tests/host/?.lua;./tests/state/?.lua;" .. package.path
local pl = require "perilune"
local engine = require "perilune.engine"
local process = require "process"
local support = require "support"
local nn, optim, data, callbacks = pl.nn, pl.optim, pl.data, pl.callbacks

local folder

local function set(n)
  pl.manual_seed(8)
  return data.TensorDataset(pl.randn(n, 2), pl.randn(n, 1))
end

local function make(list, fields)
  pl.manual_seed(9)
  local model = nn.Linear(2, 1)
  local options = { model = model, loss_func = nn.MSELoss(), callbacks = list or {}, quiet = true,
    optimizer = optim.SGD(model:parameters(), { lr = 0.1, momentum = 0.9 }) }
  for name, value in pairs(fields or {}) do options[name] = value end
  return pl.Trainer(options)
end

local function weights(trainer)
  return { trainer.model.weight:detach():totable(), trainer.model.bias:detach():totable() }
end

-- A script that trains 3 epochs of 8 updates into its first argument; the second makes an update
-- take so many seconds.
local SCRIPT = [[
local pl = require "perilune"
pl.manual_seed(5)
local model = pl.nn.Sequential{ pl.nn.Linear(2, 4), pl.nn.Dropout(), pl.nn.Linear(4, 1) }
local trainer = pl.Trainer{ model = model, loss_func = pl.nn.MSELoss(), root_dir = arg[1],
  optimizer = pl.optim.SGD(model:parameters(), { lr = 0.1 }) }
trainer:add_callback{ name = "slow", on_train_step_end = function(_, t)
  local stop = pl.engine.clock() + (tonumber(arg[2]) or 0)
  if t.update == 10 then print "at update 10" io.stdout:flush() end
  while pl.engine.clock() < stop do end
end }
trainer:train{ train_dataset = pl.data.TensorDataset(pl.randn(16, 2), pl.randn(16, 1)),
  eval_dataset = pl.data.TensorDataset(pl.randn(4, 2), pl.randn(4, 1)), num_epochs = 3,
  per_device_batch_size = 2, resume_from = "auto" }
local values = {}
for _, v in ipairs(trainer.run_history:get_metric_values("train_loss_epoch")) do
  values[#values + 1] = ("%a"):format(v)
end
print("losses " .. table.concat(values, " "))
]]

local function script(before, ...)
  local path = process.write(folder .. "/train.lua", SCRIPT)
  local command = table.concat({ process.quote(process.perilune), path, ... }, " ")
  return process.run(before:format(command))
end

-- Run the script into a directory and send it a signal. What an earlier one printed goes first: the
-- new one may not have begun when its output is looked at.
local function stop_at_10(signal, where)
  local out = folder .. "/out"
  return script("rm -f " .. out .. "; %s >" .. out .. " & p=$!; until grep -qs 'at update 10' "
    .. out .. "; do sleep 0.02; done; kill -" .. signal .. " $p; wait $p", where, "0.05")
end

describe("Lightning's complaint", function()
  before_each(function() folder = process.folder() end)
  after_each(function() process.remove(folder) end)

  it("2: what nobody asks for costs time in each step", function()
    -- Attached, and no hook of it is defined: asked when a run begins, and in no step.
    local asked, at_start = 0, nil
    local idle = setmetatable({ on_training_run_start = function() at_start = asked end },
      { __index = function() asked = asked + 1 end })
    make{ idle }:train{ train_dataset = set(8), num_epochs = 1, per_device_batch_size = 2 }
    assert.are.equal(at_start, asked)
    local trainer = make{}
    local handler, lookups = trainer.callback_handler, 0
    local hooks = setmetatable({}, { __index = function() lookups = lookups + 1 end })
    function handler:rebuild() self.hooks = hooks end
    trainer:train{ train_dataset = set(8), num_epochs = 1, per_device_batch_size = 2 }
    assert.is_nil(next(hooks))
    -- Seven events per step, each one read of a table that has no list.
    assert.is_true(lookups <= 4 * 7 + 12, lookups)
  end)

  it("3: a pause between epochs, for files and memory that nobody asked for", function()
    local allocations = {}
    local trainer = make({ { on_train_epoch_start = function()
      allocations[#allocations + 1] = engine.memory().allocations
    end } }, { root_dir = folder })
    trainer:train{ train_dataset = set(64), eval_dataset = set(8), num_epochs = 4,
      per_device_batch_size = 4, gradient_clip_norm = 1 }
    assert.are.equal(allocations[3], allocations[4])
    assert.are.same({}, support.entries(folder))
  end)

  it("4: losses and metrics are read from the device in each step", function()
    local Tensor = require("perilune.tensor").methods
    local reads, kept = 0, { item = Tensor.item, totable = Tensor.totable }
    for name, method in pairs(kept) do
      Tensor[name] = function(...)
        reads = reads + 1
        return method(...)
      end
    end
    local trainer = make(nil, { metrics = { "accuracy" } })
    trainer:train{ train_dataset = data.TensorDataset(pl.randn(100, 2), pl.ones(100, 1)),
      num_epochs = 2, per_device_batch_size = 2 }
    for name, method in pairs(kept) do Tensor[name] = method end
    assert.are.equal(100, trainer.update)
    -- The losses and the metric, once in each epoch.
    assert.are.equal(4, reads)
  end)

  it("6: the progress bar floods what is no terminal, and a resumed one knows no total", function()
    local result = script("%s", folder .. "/run")
    assert.are.equal(0, result.code, result.err)
    assert.falsy(result.err:find("[\r\27]"), result.err)
    for epoch = 1, 3 do
      local _, lines = result.err:gsub(("epoch %d/3: "):format(epoch), "")
      assert.are.equal(1, lines, result.err)
      assert.truthy(result.err:find(("epoch %d/3: 8/8"):format(epoch), 1, true), result.err)
    end
    assert.truthy(select(2, result.err:gsub("\n", "")) <= 6, result.err)
    stop_at_10("TERM", folder .. "/other")
    local resumed = script("%s", folder .. "/other")
    assert.truthy(resumed.err:find("^epoch 2/3: 8/8"), resumed.err)
  end)

  it("7: a run resumed in the middle of an epoch sees other data, and warns", function()
    local function options(from)
      return { train_dataset = set(32), num_epochs = 2, per_device_batch_size = 2,
        resume_from = from }
    end
    local function recording(seen, stop)
      return { on_train_step_start = function(_, t, batch)
        seen[#seen + 1] = batch[1]:totable()
        if t.update == stop then t:abort() end
      end }
    end
    local whole, parts = {}, {}
    make({ recording(whole) }):train(options())
    local stopped = make({ recording(parts, 11) })
    stopped:train(options())
    stopped:save_training_state(folder .. "/state")
    assert.are.equal(11, #parts)
    local said = {}
    local resumed = make({ recording(parts) })
    function resumed:print(text) said[#said + 1] = text end
    resumed:train(options(folder .. "/state"))
    assert.are.same(whole, parts)
    assert.are.equal(1, #said, table.concat(said, "\n"))
    assert.truthy(said[1]:find("going on from .* after update 11"), said[1])
  end)

  it("8: a job that is told to end loses its work", function()
    local whole = script("%s", folder .. "/whole").out:match("losses [^\n]+")
    assert.is_string(whole)
    for _, signal in ipairs{ "TERM", "USR1" } do
      local where = folder .. "/" .. signal
      local stopped = stop_at_10(signal, where)
      assert.are.equal(143, stopped.code, stopped.err)
      assert.truthy(stopped.err:find("the state was saved in " .. where, 1, true), stopped.err)
      local resumed = script("%s", where)
      assert.are.equal(0, resumed.code, resumed.err)
      assert.truthy(resumed.out:find("going on from .*/interrupted after update 1%d"), resumed.out)
      assert.are.equal(whole, resumed.out:match("losses [^\n]+"))
    end
  end)

  it("9: a state that is saved while training goes on mixes updates", function()
    local at = {}
    make({ callbacks.SaveTrainingStateCallback{ every = { updates = 1 } },
      { on_optimizer_step_end = function(_, t) at[t.update] = weights(t) end } },
      { root_dir = folder }):train{ train_dataset = set(16), num_epochs = 2,
        per_device_batch_size = 2 }
    assert.are.equal(16, #at)
    for update = 1, 16 do
      local loaded = make()
      loaded:load_training_state(("%s/training_states/update_%d"):format(folder, update))
      assert.are.equal(update, loaded.update)
      assert.are.same(at[update], weights(loaded))
    end
  end)

  it("10: it is unclear which checkpoints are last, best and of every n", function()
    local scores = { 5, 2, 3, 4 }
    local best = callbacks.ModelCheckpoint{ monitor = "score", save_top_k = 2, save_last = true,
      dirpath = "best", filename = "{epoch}-{score:%.0f}" }
    local trainer = make({ { on_train_epoch_end = function(_, t)
      t.run_history:update_metric("score", scores[t.run_history.current_epoch])
    end }, best, callbacks.ModelCheckpoint{ dirpath = "every", every = { updates = 3 },
      save_top_k = -1, filename = "{update}" } }, { root_dir = folder })
    trainer:train{ train_dataset = set(10), num_epochs = 4, per_device_batch_size = 2,
      gradient_accumulation_steps = 3 }
    assert.are.same({ "2-2", "3-3", "last" }, support.entries(folder .. "/best"))
    assert.are.equal(folder .. "/best/2-2", best:best_model_path())
    assert.are.same({ "3", "6" }, support.entries(folder .. "/every"))
    local last = make()
    last:load_training_state(folder .. "/best/last")
    assert.are.equal(8, last.update)
    assert.are.same(weights(trainer), weights(last))
  end)

  it("11: steps are counted in several ways", function()
    local model = nn.Linear(2, 1)
    local evaluations, logs = {}, {}
    local trainer = pl.Trainer{ model = model, loss_func = nn.MSELoss(), quiet = true,
      root_dir = folder, optimizer = {
        { "weight", optim.SGD({ model.weight }, { lr = 0.1 }) },
        { "bias", optim.SGD({ model.bias }, { lr = 0.1 }) } },
      callbacks = { { on_eval_epoch_end = function(_, t)
        evaluations[#evaluations + 1] = t.update
      end, on_log = function(_, t) logs[#logs + 1] = t.update end,
        on_optimizer_step_end = function(_, t) t:log("x", 1) end },
        callbacks.SaveTrainingStateCallback{ every = { updates = 4 }, save_at_end = false } } }
    -- Five batches make two updates in each of three epochs.
    trainer:train{ train_dataset = set(10), eval_dataset = set(2), num_epochs = 3,
      per_device_batch_size = 2, gradient_accumulation_steps = 4, eval_every = { updates = 3 },
      log_every = { updates = 2 } }
    assert.are.equal(6, trainer.update)
    assert.are.equal(2, trainer.run_config.num_update_steps_per_epoch)
    assert.are.equal(6, trainer.run_config.max_updates)
    assert.are.same({ 3, 6 }, evaluations)
    assert.are.same({ 2, 4, 6 }, logs)
    assert.are.same({ "update_4" }, support.entries(folder .. "/training_states"))
  end)

  it("15: what is loaded runs code", function()
    local Named = { name = "named" }
    function Named.state_dict() return { class = "os", code = "return os.exit(3)" } end
    function Named.load_state_dict() end
    local trainer = make({ Named })
    trainer:train{ train_dataset = set(4), num_epochs = 1 }
    trainer:save_training_state(folder .. "/state")
    trainer:save_checkpoint(folder .. "/weights.safetensors",
      { save_optimizer = true, values = { code = "return os.exit(3)" } })
    local text = process.read(folder .. "/state/state.json")
    local changed, n = text:gsub('"named"', '"os.exit(3)"')
    assert.is_true(n > 0)
    local other = make({ Named })
    local compiled = {}
    local kept = {}
    for _, name in ipairs{ "loadstring", "load", "loadfile", "dofile" } do
      kept[name] = _G[name]
      rawset(_G, name, function(...)
        compiled[#compiled + 1] = name
        return kept[name](...)
      end)
    end
    local modules = {}
    for name in pairs(package.loaded) do modules[name] = true end
    local ok, err = pcall(function()
      other:load_training_state(folder .. "/state")
      process.write(folder .. "/state/state.json", changed)
      other:load_training_state(folder .. "/state")
      assert.are.equal("return os.exit(3)",
        other:load_checkpoint(folder .. "/weights.safetensors").code)
    end)
    for name, f in pairs(kept) do rawset(_G, name, f) end
    assert.is_true(ok, tostring(err))
    assert.are.same({}, compiled)
    for name in pairs(package.loaded) do
      assert.is_true(modules[name] or name:find("^perilune%.") ~= nil, name)
    end
  end)
end)
