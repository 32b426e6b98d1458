-- Checkpoints around the decays of a warmup-stable-decay schedule.
package.path = "./tests/host/?.lua;" .. package.path
local lfs = require "lfs"
local pl = require "perilune"
local process = require "process"
local nn, optim, data, callbacks = pl.nn, pl.optim, pl.data, pl.callbacks
local WSD = pl.schedulers.WSDLrScheduler

local function make(list)
  local model = nn.Linear(2, 1)
  return pl.Trainer{ model = model, loss_func = nn.MSELoss(), callbacks = list, quiet = true,
    optimizer = optim.SGD(model:parameters(), { lr = 0.1 }) }
end

local function run(o)
  o.train_dataset = data.TensorDataset(pl.randn(40, 2), pl.randn(40, 1))
  o.per_device_batch_size, o.num_epochs = 2, 2
  return o
end

describe("WSDCheckpointCallback", function()
  local folder
  before_each(function() folder = process.folder() end)
  after_each(function() process.remove(folder) end)

  local function decaying(options)
    options = options or {}
    options.num_checkpoints, options.decay_phase_ratio = 2, 0.2
    return WSD:create_scheduler_fn(options)
  end

  it("saves a state before each decay and the weights after it", function()
    local weights = {}
    local trainer = make{ callbacks.WSDCheckpointCallback{ save_dir = folder }, {
      on_optimizer_step_end = function(_, t) weights[t.update] = t.model.weight:totable() end } }
    trainer:train(run{ create_scheduler_fn = decaying() })
    local names = {}
    for name in lfs.dir(folder) do
      if not name:find("^%.") then names[#names + 1] = name end
    end
    table.sort(names)
    assert.are.same({ "checkpoint_16_wsd_pre_decay", "checkpoint_20_wsd_post_decay.safetensors",
      "checkpoint_36_wsd_pre_decay", "checkpoint_40_wsd_post_decay.safetensors" }, names)

    local other = make{}
    local values = other:load_checkpoint(folder .. "/checkpoint_20_wsd_post_decay.safetensors",
      { load_scheduler = false })
    assert.are.same(weights[20], other.model.weight:totable())
    assert.are.same({ step = 20, update = 20, checkpoint_type = "post_decay", total_steps = 40 },
      values)
  end)

  it("saves states that a run goes on from", function()
    local first = make{ callbacks.WSDCheckpointCallback{ save_dir = folder } }
    local start = run{ create_scheduler_fn = decaying() }
    first:train(start)
    local second = make{}
    start.resume_from = folder .. "/checkpoint_16_wsd_pre_decay"
    local began
    second:add_callback{ on_train_step_start = function(_, t) began = began or t.update end }
    second:train(start)
    assert.are.equal(17, began)
    assert.are.same(first.model.weight:totable(), second.model.weight:totable())
  end)

  it("says that it needs a scheduler with decays", function()
    local trainer = make{ callbacks.WSDCheckpointCallback{ save_dir = folder } }
    local ok, err = pcall(trainer.train, trainer, run{})
    assert.is_false(ok)
    assert.matches("needs a scheduler with decays", err.message)
  end)
end)
