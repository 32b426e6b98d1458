-- Several evaluation sets, several losses, weights of losses, several optimizers.
local pl = require "perilune"
local class, nn, optim, data = pl.class, pl.nn, pl.optim, pl.data
local Trainer = pl.Trainer

local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err.message
end

local function constant(value, n)
  return data.TensorDataset(pl.full({ n, 1 }, value), pl.zeros(n, 1))
end

-- The loss is the mean of the inputs, beside two named ones.
local Means = class("Means", Trainer)
function Means:calculate_train_batch_loss(batch)
  local mean = batch[1]:mean() + self.model.weight:sum() * 0
  return { loss = mean, losses = { { "double", mean * 2 }, { "square", mean:square() } },
    batch_size = batch[1]:size(1) }
end
Means.calculate_eval_batch_loss = Means.calculate_train_batch_loss

local function make(options, class_of)
  options.model = options.model or nn.Linear(1, 1)
  options.loss_func = nn.MSELoss()
  options.optimizer = options.optimizer or optim.SGD(options.model:parameters(), { lr = 0.1 })
  options.callbacks, options.quiet = options.callbacks or {}, true
  return (class_of or Trainer)(options)
end

describe("Several evaluation sets", function()
  local sets = { { "clean", constant(1, 4) }, { "noisy", constant(3, 6) } }

  it("are recorded under prefixed names, with one pass and its events each", function()
    local seen = {}
    local trainer = make({ callbacks = { { on_eval_epoch_end = function(_, t, is_intermediate)
      assert.is_false(is_intermediate)
      seen[#seen + 1] = t.eval_dataset:size()
      t.run_history:update_metric("eval_mine", 7)
    end } } }, Means)
    local history = trainer:train{ train_dataset = constant(2, 4), eval_dataset = sets,
      num_epochs = 2 }
    assert.are.same({ 4, 6, 4, 6 }, seen)
    assert.are.same({ 1, 1 }, history:get_metric_values("clean_eval_loss_epoch"))
    assert.are.same({ 3, 3 }, history:get_metric_values("noisy_eval_loss_epoch"))
    assert.are.same({ 7, 7 }, history:get_metric_values("noisy_eval_mine"))
    assert.are.equal("", history.metric_name_prefix)
    assert.truthy(message(history.get_latest_metric, history, "eval_loss_epoch")
      :find("did you mean", 1, true))
  end)

  it("may be given to evaluate", function()
    local results = make({}, Means):evaluate{ dataset = sets }
    assert.are.equal(1, results.clean_evaluation_loss)
    assert.are.equal(3, results.noisy_evaluation_loss)
    assert.are.equal(6, results.noisy_evaluation_double)
  end)

  it("leave no prefix behind after an error", function()
    local failing = { on_eval_step_end = function() error("x") end }
    local trainer = make({ callbacks = { failing } }, Means)
    assert.is_false(pcall(trainer.evaluate, trainer, { dataset = sets }))
    assert.are.equal("", trainer.run_history.metric_name_prefix)
  end)

  it("are refused in another form", function()
    local text = message(Trainer.evaluate, make({}, Means),
      { dataset = { { "clean", constant(1, 4) }, constant(3, 6) } })
    assert.truthy(text:find("a list of a name and a dataset each", 1, true), text)
  end)
end)

describe("Named losses", function()
  it("are recorded beside the loss, weighted as it is", function()
    local inputs = pl.tensor{ { 1 }, { 1 }, { 4 } }
    local history = make({}, Means):train{ num_epochs = 1, per_device_batch_size = 2,
      train_dataset = data.TensorDataset(inputs, inputs), eval_dataset = constant(3, 5),
      train_dataloader_kwargs = { shuffle = false } }
    assert.are.same({ "train_loss_epoch", "train_double_epoch", "train_square_epoch",
      "eval_loss_epoch", "eval_double_epoch", "eval_square_epoch" }, history:get_metric_names())
    assert.is_near(2, history:get_latest_metric("train_loss_epoch"), 1e-6)
    assert.is_near(4, history:get_latest_metric("train_double_epoch"), 1e-6)
    assert.is_near((1 * 2 + 16) / 3, history:get_latest_metric("train_square_epoch"), 1e-6)
    assert.are.equal(9, history:get_latest_metric("eval_square_epoch"))
  end)

  it("must be a list of names and tensors", function()
    local Bad = class("Bad", Means)
    function Bad:calculate_train_batch_loss(batch)
      local output = Means.calculate_train_batch_loss(self, batch)
      output.losses = { { "kl", 3 } }
      return output
    end
    local trainer = make({}, Bad)
    local run = { train_dataset = constant(1, 2), num_epochs = 1 }
    assert.truthy(message(trainer.train, trainer, run)
      :find("a list of a name and a tensor each", 1, true))
  end)
end)

describe("loss_weighting", function()
  -- Sequences of different lengths: the loss is the mean over the tokens of a batch.
  local Tokens = class("Tokens", Trainer)
  function Tokens:calculate_train_batch_loss(batch)
    local mask = batch[1]:ge(0):float()
    local n = mask:sum():item()
    local loss = (self.model.weight:sum() * batch[1] * mask):sum() / n
    return { loss = loss, batch_size = batch[1]:size(1), num_items = n }
  end

  local tokens = pl.tensor{ { 1, 2, 3, 4 }, { 5, -1, -1, -1 }, { 6, 7, -1, -1 }, { 8, 9, 10, -1 },
    { 11, -1, -1, -1 } }

  -- How far one weight moved in one update of all sequences, `size` at a time; the clean gradient
  -- is the mean of all the tokens.
  local function step_of(weighting, size, loader)
    local model = nn.Linear(1, 1, { bias = false })
    local trainer = make({ model = model, optimizer = optim.SGD(model:parameters(), { lr = 1 }) },
      Tokens)
    if loader then trainer.create_train_dataloader = loader end
    local before, norm = model.weight:item(), nil
    trainer:add_callback({ on_before_optimizer_step = function(_, t)
      norm = t.model.weight.grad:item()
    end })
    local history = trainer:train{ train_dataset = data.TensorDataset(tokens, tokens),
      num_epochs = 1, per_device_batch_size = size, gradient_accumulation_steps = 5,
      loss_weighting = weighting, train_dataloader_kwargs = { shuffle = false } }
    assert.are.equal(1, trainer.update)
    assert.is_near(before - norm, model.weight:item(), 1e-4)
    assert.is_near(6 * before, history:get_latest_metric("train_loss_epoch"), 1e-4)
    return norm
  end

  it("by items makes the update of one large batch, whatever the batches", function()
    assert.is_near(6, step_of("items", 1), 1e-5)
    assert.is_near(6, step_of("items", 2), 1e-5)
    assert.is_near(6, step_of("items", 5), 1e-5)
  end)

  it("by batches is the mean of their means", function()
    assert.is_near((2.5 + 5 + 6.5 + 9 + 11) / 5, step_of("batches", 1), 1e-5)
  end)

  it("holds for the last update of a loader without a size", function()
    local function unsized(self)
      local loader = Trainer.create_train_dataloader(self, 2, { shuffle = false })
      return { batches = function() return loader:batches() end }
    end
    assert.is_near(6, step_of("items", 2, unsized), 1e-5)
    assert.is_near((3 + 8 + 11) / 3, step_of("batches", 2, unsized), 1e-5)
  end)
end)

describe("Several optimizers", function()
  local function pair()
    local model = nn.Sequential{ nn.Linear(1, 2), nn.Linear(2, 1) }
    return model, optim.SGD(model[1]:parameters(), { lr = 0.1 }),
      optim.SGD(model[2]:parameters(), { lr = 0.01 })
  end

  it("step together, as one with two groups would", function()
    local results = {}
    for i = 1, 2 do
      pl.manual_seed(2)
      local model, a, b = pair()
      local both = i == 1 and { a, b } or optim.SGD{ params = {
        { params = model[1]:parameters(), lr = 0.1 },
        { params = model[2]:parameters(), lr = 0.01 } },
        lr = 1 }
      local trainer = make{ model = model, optimizer = both }
      trainer:train{ train_dataset = constant(1, 8), num_epochs = 2, per_device_batch_size = 2,
        gradient_clip_norm = 0.1 }
      assert.are.equal(2, #trainer.optimizer.param_groups)
      results[i] = { model[1].weight:detach():totable(), model[2].weight:detach():totable() }
    end
    assert.are.same(results[1], results[2])
  end)

  it("have names, and a subclass decides which of them steps", function()
    local Turns = class("Turns", Trainer)
    function Turns:optimizer_step()
      local name = self.update % 2 == 1 and "first" or "second"
      self.optimizer[name]:step()
    end
    local model, a, b = pair()
    local before = { model[1].weight:detach():totable(), model[2].weight:detach():totable() }
    local trainer = make({ model = model, optimizer = { { "first", a }, { "second", b } } }, Turns)
    trainer:train{ train_dataset = constant(1, 4), max_updates = 1 }
    assert.are_not.same(before[1], model[1].weight:detach():totable())
    assert.are.same(before[2], model[2].weight:detach():totable())
    assert.is_nil(model[1].weight.grad)
    assert.are.equal(b, trainer.optimizer[2])
    assert.truthy(message(function() return trainer.optimizer.frist end)
      :find("no optimizer 'frist' (did you mean 'first'?)", 1, true))
  end)

  it("keep their states in order", function()
    local model = nn.Sequential{ nn.Linear(1, 2), nn.Linear(2, 1) }
    local list = {}
    for i = 1, 2 do list[i] = optim.SGD(model[i]:parameters(), { lr = 0.1 * i, momentum = 0.9 }) end
    local trainer = make{ model = model, optimizer = list }
    local dict = trainer.optimizer:state_dict()
    list[2].param_groups[1].lr = 7
    trainer.optimizer:load_state_dict(dict)
    assert.are.equal(0.2, list[2].param_groups[1].lr)
    assert.truthy(message(trainer.optimizer.load_state_dict, trainer.optimizer, {})
      :find("the state has 0 optimizers, here are 2", 1, true))
  end)

  it("go on from a saved state", function()
    local path = os.tmpname()
    os.remove(path)
    local function trained(run)
      pl.manual_seed(4)
      local model = nn.Sequential{ nn.Linear(1, 2), nn.Linear(2, 1) }
      local list = {}
      for i = 1, 2 do
        list[i] = { "number_" .. i, optim.SGD(model[i]:parameters(),
          { lr = 0.01, momentum = 0.9 }) }
      end
      local trainer = make{ model = model, optimizer = list }
      run.train_dataset, run.per_device_batch_size = constant(1, 8), 2
      trainer:train(run)
      return trainer
    end
    local function weights(trainer) return trainer.model[1].weight:detach():totable() end
    local whole = trained{ num_epochs = 2 }
    trained{ num_epochs = 2, max_updates = 4 }:save_training_state(path)
    local resumed = trained{ num_epochs = 2, resume_from = path }
    os.execute("rm -r " .. path)
    assert.are.equal(8, resumed.update)
    assert.are.same(weights(whole), weights(resumed))
  end)

  it("are refused when they are none", function()
    for text, optimizer in pairs{
      ["a list of optimizers"] = {}, ["optimizer 1 has no step"] = { { "a", {} } },
      ["cannot be named 'step'"] = { { "step", {} } },
    } do
      local got = message(Trainer, { model = nn.Linear(1, 1), optimizer = optimizer })
      assert.truthy(got:find(text, 1, true), got)
    end
  end)
end)
