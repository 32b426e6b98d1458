-- Defects that a replacement of pytorch-accelerated must not have, by their numbers in the list of
-- those that were found in it.
local pl = require "perilune"
local class, nn, optim, data, callbacks = pl.class, pl.nn, pl.optim, pl.data, pl.callbacks
local Trainer = pl.Trainer

local function set(n)
  return data.TensorDataset(pl.randn(n, 2), pl.randn(n, 1))
end

local function make(list, class_of)
  local model = nn.Linear(2, 1)
  return (class_of or Trainer){ model = model, loss_func = nn.MSELoss(), callbacks = list,
    quiet = true, optimizer = optim.SGD(model:parameters(), { lr = 0.1 }) }
end

describe("Defect", function()
  it("1: an evaluation in the middle of an epoch leaves the model in evaluation mode", function()
    local modes, evaluations = {}, 0
    local trainer = make{ callbacks.StepBasedEvaluationCallback(3), {
      on_train_step_start = function(_, t) modes[#modes + 1] = t.model.training end,
      on_eval_step_end = function(_, t)
        assert.is_false(t.model.training)
        evaluations = evaluations + 1
      end,
      on_eval_epoch_end = function(_, _, is_intermediate) assert.is_boolean(is_intermediate) end } }
    local history = trainer:train{ train_dataset = set(12), eval_dataset = set(2), num_epochs = 1,
      per_device_batch_size = 2 }
    assert.are.same({ true, true, true, true, true, true }, modes)
    assert.are.equal(3, evaluations)
    assert.are.equal(2, #history:get_metric_values("intermediate_eval_loss"))
    assert.are.equal(1, #history:get_metric_values("eval_loss_epoch"))
  end)

  it("2: limiting the steps of an evaluation has no effect", function()
    local function steps(limit_intermediate_only)
      local counts = {}
      local trainer = make{ callbacks.StepBasedEvaluationCallback(2),
        callbacks.LimitEvalStepsCallback{ num_eval_steps = 1,
          limit_intermediate_only = limit_intermediate_only },
        { on_eval_epoch_start = function() counts[#counts + 1] = 0 end,
          on_eval_step_end = function() counts[#counts] = counts[#counts] + 1 end } }
      trainer:train{ train_dataset = set(4), eval_dataset = set(10), num_epochs = 2,
        per_device_batch_size = 2 }
      return counts
    end
    assert.are.same({ 1, 5, 1, 5 }, steps(true))
    assert.are.same({ 1, 1, 1, 1 }, steps(false))
  end)

  it("3: the reported training loss is divided by the accumulation", function()
    local Four = class("Four", Trainer)
    function Four:calculate_train_batch_loss(batch)
      return { loss = self.model.weight:sum() * 0 + 4, batch_size = batch[1]:size(1) }
    end
    local history = make({}, Four):train{ train_dataset = set(8), num_epochs = 1,
      per_device_batch_size = 2, gradient_accumulation_steps = 4 }
    assert.are.equal(4, history:get_latest_metric("train_loss_epoch"))
  end)

  it("4: clipping is by value only, and runs on every micro-batch", function()
    local clips = 0
    local Counting = class("Counting", Trainer)
    function Counting:clip_gradients()
      clips = clips + 1
      Trainer.clip_gradients(self)
    end
    local norms = {}
    local Measuring = class("Measuring", Counting)
    function Measuring:optimizer_step()
      local w, b = self.model.weight.grad, self.model.bias.grad
      norms[#norms + 1] = math.sqrt(w:square():sum():item() + b:square():sum():item())
    end
    make({}, Measuring):train{ train_dataset = set(16), num_epochs = 1, per_device_batch_size = 2,
      gradient_accumulation_steps = 4, gradient_clip_norm = 1e-3 }
    assert.are.equal(2, clips)
    for i = 1, 2 do assert.is_near(1e-3, norms[i], 1e-6) end
  end)

  it("11: a missing attribute inside a callback is swallowed", function()
    local Typo = class("Typo", callbacks.TrainerCallback)
    function Typo:on_train_epoch_end(trainer) return self.count + trainer.run_histori.length end
    local trainer = make{ Typo }
    local ok, err = pcall(trainer.train, trainer, { train_dataset = set(2), num_epochs = 1 })
    assert.is_false(ok)
    assert.truthy(err.message:find("^Typo:on_train_epoch_end %(epoch 1, update 1%): attempt to"),
      err.message)
  end)

  it("13: run_config.to_dict fails without an evaluation set, and takes the sampler", function()
    local trainer = make{}
    local sampled = set(4)
    local kwargs = { sampler = data.SequentialSampler(sampled) }
    trainer:train{ train_dataset = sampled, num_epochs = 1, train_dataloader_kwargs = kwargs }
    assert.are.equal(1, trainer.run_config:to_dict().num_epochs)
    assert.are.equal(kwargs.sampler, trainer.run_config:to_dict().train_dl_kwargs.sampler)
    assert.are.equal(kwargs.sampler, trainer.run_config.train_dl_kwargs.sampler)
    assert.is_table(kwargs.sampler)
    trainer:evaluate{ dataset = set(4) }
    assert.are.equal(8, trainer.run_config:to_dict().eval_per_device_batch_size)
  end)

  it("14: the evaluation loader of an earlier run stays", function()
    local trainer = make{}
    trainer:train{ train_dataset = set(4), eval_dataset = set(4), num_epochs = 1 }
    trainer:train{ train_dataset = set(4), num_epochs = 1 }
    assert.is_nil(trainer.eval_dataloader)
    assert.is_nil(trainer.eval_sets)
    assert.are.same({ "train_loss_epoch" }, trainer.run_history:get_metric_names())
  end)

  it("21: accumulation counts twice: an update is the mean over its batches, once", function()
    local function weight_after(accumulation, size)
      pl.manual_seed(3)
      local trainer = make{}
      trainer:train{ train_dataset = data.TensorDataset(pl.ones(4, 2), pl.ones(4, 1)),
        num_epochs = 1, per_device_batch_size = size, gradient_accumulation_steps = accumulation }
      return trainer.model.weight:detach():sum():item()
    end
    assert.is_near(weight_after(1, 4), weight_after(4, 1), 1e-6)
  end)
end)
