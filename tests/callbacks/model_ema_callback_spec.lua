-- Moving averages of a model beside its training.
package.path = "./tests/host/?.lua;" .. package.path
local pl = require "perilune"
local process = require "process"
local nn, optim, data, callbacks = pl.nn, pl.optim, pl.data, pl.callbacks

local function set(n)
  return data.TensorDataset(pl.ones(n, 1), pl.zeros(n, 1))
end

-- One weight from 1, whose gradient is always 1: update n makes it 1 - n / 10.
local function make(list, options)
  options = options or {}
  local model = nn.Linear(1, 1, { bias = false })
  pl.no_grad(function() model.weight:fill_(1) end)
  options.model, options.callbacks, options.quiet = model, list, true
  options.loss_func = function(outputs) return outputs:mean() end
  options.optimizer = optim.SGD(model:parameters(), { lr = 0.1 })
  return pl.Trainer(options)
end

local function near(expected, got)
  assert.is_true(math.abs(expected - got) < 1e-6, ("got %.9g, expected %.9g"):format(got, expected))
end

local function averages(n, decay)
  local average = 1
  for i = 1, n do average = decay * average + (1 - decay) * (1 - i / 10) end
  return average
end

describe("ModelEmaCallback", function()
  local folder
  before_each(function() folder = process.folder() end)
  after_each(function() process.remove(folder) end)

  local function callback(o)
    o = o or {}
    o.decay, o.save_path = 0.5, folder .. "/ema.safetensors"
    return callbacks.ModelEmaCallback(o)
  end

  local function run(o)
    o = o or {}
    o.train_dataset, o.eval_dataset, o.per_device_batch_size = set(8), o.eval_dataset or set(2), 2
    o.num_epochs = o.num_epochs or 2
    return o
  end

  it("moves once per update, and leaves the model as it is", function()
    local ema = callback()
    local trainer = make{ ema }
    trainer:train(run{ num_epochs = 1, gradient_accumulation_steps = 2 })
    near(0.8, trainer.model.weight:item())
    near(averages(2, 0.5), ema.ema.module.weight:item())
    assert.are.equal(2, ema.ema.num_updates)
  end)

  it("is what evaluations measure, in the middle of an epoch too", function()
    local trainer = make{ callbacks.StepBasedEvaluationCallback(3), callback() }
    local history = trainer:train(run())
    local losses = history:get_metric_values("eval_loss_epoch")
    near(averages(4, 0.5), losses[1])
    near(averages(8, 0.5), losses[2])
    near(averages(3, 0.5), history:get_metric_values("intermediate_eval_loss")[1])
    near(0.2, trainer.model.weight:item())
    near(0.2, trainer:evaluate{ dataset = set(2) }.evaluation_loss)
  end)

  it("leaves evaluations alone with evaluate_during_training = false", function()
    local history = make{ callback{ evaluate_during_training = false } }:train(run())
    near(0.6, history:get_metric_values("eval_loss_epoch")[1])
  end)

  it("saves the best averages and loads them when it is told to", function()
    local trainer = make{ callback{ load_saved_checkpoint = true } }
    trainer:train(run())
    near(averages(8, 0.5), trainer.model.weight:item())
    local plain = make{ callback{ greater_is_better = true } }
    plain:train(run())
    near(0.2, plain.model.weight:item())
    plain:load_checkpoint(folder .. "/ema.safetensors")
    near(averages(4, 0.5), plain.model.weight:item())
  end)

  it("gives the model its values back when an evaluation fails", function()
    local seen
    local trainer = make{ callback(), {
      on_eval_step_end = function() error("no more") end,
      on_exception = function(_, t) seen = t.model.weight:item() end } }
    assert.is_false(pcall(trainer.train, trainer, run()))
    near(0.6, seen)
    near(0.6, trainer.model.weight:item())
  end)

  it("goes on from a training state", function()
    local straight = callback()
    make{ straight }:train(run{ num_epochs = 3 })
    local first = make{ callback(), callbacks.SaveTrainingStateCallback{ save_dir = folder } }
    first:train(run{ num_epochs = 1 })
    local resumed = callback()
    make{ resumed, callbacks.SaveTrainingStateCallback{ save_dir = folder } }
      :train(run{ num_epochs = 3, resume_from = folder .. "/final" })
    assert.are.equal(12, resumed.ema.num_updates)
    near(straight.ema.module.weight:item(), resumed.ema.module.weight:item())
    near(straight.best_metric, resumed.best_metric)

    local loaded = callback()
    local trainer = make{ loaded }
    trainer:load_training_state(folder .. "/final")
    trainer:train(run{ num_epochs = 1 })
    assert.are.equal(16, loaded.ema.num_updates)
  end)

  it("is saved with the model's own values from within an evaluation", function()
    local losses, path = {}, folder .. "/now"
    local trainer = make{ callback(), {
      on_eval_step_end = function(_, t, _, output, step)
        losses[#losses + 1] = output.loss:item()
        if step == 1 then t:save_training_state(path, { now = true }) end
      end } }
    trainer:train(run{ num_epochs = 1, eval_dataset = set(4) })
    near(losses[1], losses[2])
    local other = make{ callback() }
    other:load_training_state(path)
    near(0.6, other.model.weight:item())
  end)

  it("starts again with each run, unless it is told not to", function()
    for _, reset in ipairs{ true, false } do
      local ema = callback{ reset_on_train = reset }
      local trainer = make{ ema }
      trainer:train(run{ num_epochs = 1 })
      trainer:train(run{ num_epochs = 1 })
      assert.are.equal(reset and 4 or 8, ema.ema.num_updates)
    end
  end)
end)
