-- Averages of weights over the last epochs, with rates of their own.
package.path = "./tests/state/?.lua;./tests/host/?.lua;" .. package.path
local pl = require "perilune"
local process = require "process"
local fails = require("support").fails
local nn, optim, data, callbacks = pl.nn, pl.optim, pl.data, pl.callbacks
local SWA = callbacks.StochasticWeightAveraging

local set

setup(function()
  pl.manual_seed(5)
  set = data.TensorDataset(pl.randn(24, 3), pl.randn(24, 1))
end)

local function make(list, options)
  pl.manual_seed(3)
  local layers = { nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 1) }
  if options and options.norm then layers[2] = nn.BatchNorm1d(6) end
  local model = nn.Sequential(layers)
  return pl.Trainer{ model = model, loss_func = nn.MSELoss(), callbacks = list, quiet = true,
    root_dir = options and options.root_dir,
    optimizer = optim.SGD(model:parameters(), { lr = 0.1, momentum = 0.9 }) }
end

local function run(extra)
  local o = { train_dataset = set, num_epochs = 5, per_device_batch_size = 6,
    log_every = { updates = 1 } }
  for name, value in pairs(extra or {}) do o[name] = value end
  return o
end

local function values(model)
  local out = {}
  for _, name in ipairs(model:state_dict()) do out[name] = model:state_dict()[name]:totable() end
  return out
end

local function flat(list, out)
  out = out or {}
  if type(list) ~= "table" then out[#out + 1] = list return out end
  for _, item in ipairs(list) do flat(item, out) end
  return out
end

describe("StochasticWeightAveraging", function()
  it("gives the model the mean of the weights at the ends of its epochs", function()
    local ends = {}
    local trainer = make{ SWA{ swa_lrs = 0.05, swa_epoch_start = 3 }, {
      on_train_epoch_end = function(_, t) ends[#ends + 1] = values(t.model) end } }
    trainer:train(run())
    for name, average in pairs(values(trainer.model)) do
      local a, b, c = flat(ends[3][name]), flat(ends[4][name]), flat(ends[5][name])
      for i, x in ipairs(flat(average)) do
        assert.is_true(math.abs(x - (a[i] + b[i] + c[i]) / 3) < 1e-6)
      end
    end
    assert.are.equal(3, trainer.callback_handler.callbacks[1]:num_averaged())
  end)

  it("goes to its rates as PyTorch's SWALR, whatever the run's scheduler says", function()
    local function rates(options)
      local trainer = make{ SWA(options), callbacks.LearningRateMonitor }
      local history = trainer:train(run{
        create_scheduler_fn = pl.schedulers.ExponentialLR:create_scheduler_fn{ gamma = 0.5 } })
      local per_epoch = {}
      local all = history:get_metric_values("lr")
      for epoch = 1, 5 do per_epoch[epoch] = all[epoch * 4] end
      return per_epoch, all
    end
    local first = 0.1 * 0.5 ^ 8
    local linear, all = rates{ swa_lrs = 0.4, swa_epoch_start = 3, annealing_epochs = 2,
      annealing_strategy = "linear" }
    assert.are.equal(0.1 * 0.5 ^ 7, all[8])
    for i = 1, 4 do assert.are.equal(first, all[8 + i]) end
    assert.is_true(math.abs(linear[4] - (first + 0.4) / 2) < 1e-12)
    assert.are.equal(0.4, linear[5])
    local cosine = rates{ swa_lrs = { 0.4 }, swa_epoch_start = 0.4, annealing_epochs = 3 }
    assert.are.equal(first, cosine[3])
    local alpha = (1 - math.cos(math.pi / 3)) / 2
    assert.is_true(math.abs(cosine[4] - (0.4 * alpha + first * (1 - alpha))) < 1e-12)
    assert.are.equal(0.4, rates({ swa_lrs = 0.4, swa_epoch_start = 4, annealing_epochs = 0 })[4])
  end)

  it("measures the statistics of batch norm anew, over all batches", function()
    local trainer = make({ SWA{ swa_lrs = 0.05, swa_epoch_start = 4 } }, { norm = true })
    trainer:train(run())
    local norm = trainer.model:get("2")
    assert.are.equal(4, norm.num_batches_tracked:item())
    assert.are.equal(0.1, norm.momentum)
    pl.no_grad(function()
      local hidden, mean = trainer.model:get("1"), 0
      for batch in trainer.train_dataloader:batches() do
        mean = mean + hidden(batch[1]):mean(1) / 4
      end
      assert.is_true((norm.running_mean - mean):abs():max():item() < 1e-5)
    end)
  end)

  it("leaves a run alone that ends before its epoch", function()
    local stop = { on_train_step_end = function(_, t) if t.update == 5 then t:stop() end end }
    local trainer = make{ SWA{ swa_lrs = 1, swa_epoch_start = 4 }, stop }
    trainer:train(run())
    local plain = make{ stop }
    plain:train(run())
    assert.are.same(values(plain.model), values(trainer.model))
  end)

  it("goes on from a state with the same bits, before, in and between its epochs", function()
    local function swa() return SWA{ swa_lrs = 0.02, swa_epoch_start = 3, annealing_epochs = 2 } end
    local straight = make({ swa() }, { norm = true })
    straight:train(run())
    for _, update in ipairs{ 6, 10, 12, 15 } do
      local directory = process.folder()
      local save = { on_train_step_end = function(_, t)
        if t.update == update then
          t:save_training_state(directory .. "/state")
          t:stop()
        end
      end }
      make({ swa(), save }, { norm = true }):train(run())
      local resumed = make({ swa() }, { norm = true })
      resumed:train(run{ resume_from = directory .. "/state" })
      assert.are.same(values(straight.model), values(resumed.model))
      assert.are.same(straight.optimizer:state_dict().param_groups,
        resumed.optimizer:state_dict().param_groups)
      process.remove(directory)
    end
  end)

  it("refuses what cannot be meant", function()
    local function train(options, extra)
      local trainer = make{ SWA(options) }
      trainer:train(run(extra))
    end
    fails("argument", "swa_lrs must be a number above 0", SWA, { swa_lrs = { 0.1, 0 } })
    fails("argument", "an epoch or a share below 1, got 2.5", SWA,
      { swa_lrs = 1, swa_epoch_start = 2.5 })
    fails("argument", "2 rates for 1 parameter groups", train, { swa_lrs = { 0.1, 0.2 } })
    fails("argument", "swa_epoch_start = 9 is after the last epoch, 5", train,
      { swa_lrs = 1, swa_epoch_start = 9 })
    fails("argument", "is a share of num_epochs, which this run does not have", train,
      { swa_lrs = 1 }, { num_epochs = false, max_updates = 3 })
    fails("argument", "did you mean 'annealing_epochs'", SWA, { swa_lrs = 1, anealing_epochs = 2 })
  end)
end)
