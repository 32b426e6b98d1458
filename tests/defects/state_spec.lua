-- Defects of pytorch-accelerated: schedulers, freezing, checkpoints and states, by their numbers
-- in the list of those that were found in it.

package.path = "./tests/state/?.lua;" .. package.path
local pl = require "perilune"
local support = require "support"
local nn, optim, data, callbacks, schedulers =
  pl.nn, pl.optim, pl.data, pl.callbacks, pl.schedulers

local folder

local function set(n)
  pl.manual_seed(8)
  return data.TensorDataset(pl.randn(n, 2), pl.randn(n, 1))
end

local function make(list)
  pl.manual_seed(9)
  local model = nn.Linear(2, 1)
  return pl.Trainer{ model = model, loss_func = nn.MSELoss(), callbacks = list or {},
    quiet = true, root_dir = folder,
    optimizer = optim.SGD(model:parameters(), { lr = 0.1, momentum = 0.9 }) }
end

local function weights(trainer)
  return { trainer.model.weight:detach():totable(), trainer.model.bias:detach():totable() }
end

-- A list of what each batch of training was: { epoch, update }.
local function recorder()
  local seen = {}
  return seen, { on_train_step_end = function(_, t)
    seen[#seen + 1] = ("%d:%d"):format(t.run_history.current_epoch, t.update)
  end }
end

local function stop_at(update)
  return { on_optimizer_step_end = function(_, t)
    if t.update == update then t:abort("enough") end
  end }
end

local cosine = schedulers.CosineLrScheduler

describe("Defect", function()
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
  end)
  after_each(function() os.execute("rm -rf '" .. folder .. "'") end)

  it("5: a resumed run repeats its epoch from the start, and overshoots", function()
    local function options(from)
      return { train_dataset = set(8), num_epochs = 5, per_device_batch_size = 2,
        resume_from = from }
    end
    local whole = make()
    whole:train(options())
    local first, one = recorder()
    make{ one, stop_at(10), callbacks.SaveTrainingStateCallback() }:train(options())
    local second, two = recorder()
    local resumed = make{ two }
    resumed:train(options(folder .. "/training_states/final"))
    assert.are.equal("3:10", first[#first])
    assert.are.equal("3:11", second[1])
    assert.are.equal("5:20", second[#second])
    assert.are.equal(20, #first + #second)
    assert.are.equal(5, #resumed.run_history:get_metric_values("train_loss_epoch"))
    assert.are.same(weights(whole), weights(resumed))
  end)

  it("6: the second state that a run with a scheduler saves cannot be loaded", function()
    local function options(from)
      return { train_dataset = set(8), num_epochs = 4, per_device_batch_size = 2,
        resume_from = from, create_scheduler_fn = cosine:create_scheduler_fn{} }
    end
    local whole = make{ callbacks.SaveTrainingStateCallback{ save_every_n_epochs = 1 } }
    whole:train(options())
    for epoch = 1, 4 do
      local resumed = make()
      resumed:train(options(("%s/training_states/epoch_%d"):format(folder, epoch)))
      assert.are.same(weights(whole), weights(resumed))
      assert.are.equal(16, resumed.scheduler.num_updates)
    end
  end)

  it("9: cosine with warmup ends early with a jump, and its warmup overshoots", function()
    local optimizer = optim.SGD(nn.Linear(1, 1):parameters(), { lr = 1 })
    local scheduler = cosine{ optimizer = optimizer, total_num_epochs = 10, lr_min = 0,
      num_update_steps_per_epoch = 10, num_warmup_epochs = 3, warmup_starting_lr_ratio = 0.5 }
    local last = optimizer.param_groups[1].lr
    assert.are.equal(0.5, last)
    local steps = {}
    for n = 1, 100 do
      scheduler:step()
      local lr = optimizer.param_groups[1].lr
      assert.is_true(lr <= 1 and lr >= 0, lr)
      assert.is_true(math.abs(lr - last) < 0.025, ("%d: %g -> %g"):format(n, last, lr))
      if n < 30 then assert.is_true(lr > last) elseif n > 30 then assert.is_true(lr < last) end
      steps[n], last = lr, lr
    end
    assert.are.equal(1, steps[30])
    assert.are.equal(0, steps[100])
    assert.is_true(steps[99] > 0)
  end)

  it("10: the state of the WSD scheduler lacks its counter", function()
    local function wsd()
      local optimizer = optim.SGD(nn.Linear(1, 1):parameters(), { lr = 1 })
      return schedulers.WSDLrScheduler{ optimizer = optimizer, total_steps = 20,
        num_warmup_steps = 4 }, optimizer
    end
    local whole, whole_optimizer = wsd()
    for _ = 1, 19 do whole:step() end
    local saved = wsd()
    for _ = 1, 18 do saved:step() end
    local loaded, optimizer = wsd()
    loaded:load_state_dict(saved:state_dict())
    assert.are.equal(18, loaded:get_current_step())
    loaded:step()
    assert.are.equal(whole_optimizer.param_groups[1].lr, optimizer.param_groups[1].lr)
    assert.is_true(optimizer.param_groups[1].lr < 1)
  end)

  it("12: freezing freezes nothing when it sets modules as eval, unfreezing freezes", function()
    local model = nn.Sequential{ nn.Linear(2, 2), nn.Dropout(), nn.Linear(2, 1) }
    local freezer = pl.finetuning.ModelFreezer(model)
    freezer:freeze{ set_modules_as_eval = true }
    assert.are.equal(2, #freezer:get_trainable_parameters())
    assert.is_false(model[1].training)
    assert.is_false(model[1].weight.requires_grad)
    assert.is_true(model[3].training)
    local groups = freezer:unfreeze{ set_modules_as_training = false }
    assert.are.equal(2, #groups[1].params)
    assert.are.equal(4, #freezer:get_trainable_parameters())
    assert.is_false(model[1].training)
    assert.is_true(model[3].training)
    freezer:unfreeze()
    assert.is_true(model[1].training)
  end)

  it("15: keeping the best needs an evaluation set, and its first file differs", function()
    local path = folder .. "/best.safetensors"
    local losses = { 4, 3, 2 }
    local saved = {}
    local best = callbacks.SaveBestModelCallback{ save_path = path, save_scheduler = false }
    local trainer = make{ best, callbacks.ModelEmaCallback{ save_path = folder .. "/ema.st" },
      { priority = -10, on_training_run_epoch_end = function(_, t)
        local values = t:load_checkpoint(path, { load_optimizer = false })
        saved[#saved + 1] = values
        assert.is_number(values.train_loss_epoch)
        local _, metadata = pl.safetensors.load(path)
        assert.falsy(metadata.perilune:find("num_updates", 1, true), "the scheduler was saved")
      end } }
    trainer:train{ train_dataset = set(8), num_epochs = #losses,
      create_scheduler_fn = cosine:create_scheduler_fn{} }
    assert.is_true(#saved >= 2 and saved[1].epoch == 1)
    assert.are.same({ "best.safetensors", "ema.st" }, support.entries(folder))
    assert.is_number(make():load_checkpoint(path).train_loss_epoch)
  end)

  it("16: states by updates come before the update, count batches, and collide", function()
    local function options(from)
      return { train_dataset = set(16), num_epochs = 3, per_device_batch_size = 2,
        gradient_accumulation_steps = 4, resume_from = from }
    end
    local at = {}
    local function saving(max)
      return callbacks.SaveTrainingStateCallback{ save_every_n_steps = 2, max_checkpoints = max }
    end
    local trainer = make{ saving(), { on_optimizer_step_end = function(_, t)
      at[t.update] = weights(t)
    end } }
    trainer:train(options())
    local where = folder .. "/training_states"
    assert.are.same({ "final", "update_2", "update_4", "update_6" }, support.entries(where))
    local loaded = make()
    loaded:load_training_state(where .. "/update_2")
    assert.are.same(at[2], weights(loaded))
    assert.are.equal(2, loaded.update)
    os.execute(("rm -rf '%s/update_4' '%s/update_6'"):format(where, where))
    make{ saving(2) }:train(options(where .. "/update_2"))
    assert.are.same({ "final", "update_4", "update_6" }, support.entries(where))
  end)

  it("20: averages move once per epoch, and are in no state", function()
    local function options(from)
      return { train_dataset = set(8), num_epochs = 2, per_device_batch_size = 2,
        resume_from = from }
    end
    local function ema()
      return callbacks.ModelEmaCallback{ decay = 0.5, save_path = folder .. "/ema.safetensors" }
    end
    local average, states = nil, {}
    local by_hand = ema()
    make{ by_hand, { on_training_run_start = function(_, t)
      average = t.model.weight:detach():clone():keep()
    end, on_optimizer_step_end = function(_, t)
      average:mul_(0.5):add_(t.model.weight:detach() * 0.5)
      states[t.update] = average:totable()
    end } }:train(options())
    assert.are.equal(8, #states)
    local final = by_hand.ema.module.weight:detach():totable()
    for i, value in ipairs(final[1]) do assert.is_near(states[8][1][i], value, 1e-6) end
    make{ ema(), stop_at(3), callbacks.SaveTrainingStateCallback() }:train(options())
    local resumed = ema()
    make{ resumed }:train(options(folder .. "/training_states/final"))
    assert.are.same(final, resumed.ema.module.weight:detach():totable())
  end)
end)
