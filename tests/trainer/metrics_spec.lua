local pl = require "perilune"
local class, nn, optim, data, metrics = pl.class, pl.nn, pl.optim, pl.data, pl.metrics

local logits = { { 3, 1, 2 }, { 0, 5, 1 }, { 1, 2, 3 }, { 9, 8, 7 } }
local targets = { 1, 3, 2, 3 }

local function labels(values) return pl.tensor(values, { dtype = "i64" }) end

describe("metrics.Accuracy", function()
  it("counts hits over batches", function()
    local accuracy = metrics.Accuracy()
    assert.is_nil(accuracy:compute())
    accuracy:update(pl.tensor(logits), labels(targets))
    assert.are.equal(0.25, accuracy:compute())
    accuracy:update(pl.tensor{ { 0, 1, 0 } }, labels{ 2 })
    assert.are.equal(0.4, accuracy:compute())
    accuracy:reset()
    assert.is_nil(accuracy:compute())
  end)

  it("takes the largest of shares of classes", function()
    local accuracy = metrics.Accuracy()
    accuracy:update(pl.tensor(logits),
      pl.tensor{ { 0.7, 0.3, 0 }, { 0.5, 0.4, 0.1 }, { 0, 0, 1 }, { 0, 0.9, 0.1 } })
    assert.are.equal(0.5, accuracy:compute())
  end)

  it("counts the top k; ties are no hits", function()
    local top = metrics.Accuracy{ top_k = 2 }
    top:update(pl.tensor(logits), labels(targets))
    assert.are.equal(0.75, top:compute())
    assert.are.equal("top_2_accuracy", top.name)
    top:reset()
    top:update(pl.zeros(4, 3), labels(targets))
    assert.are.equal(0, top:compute())
  end)

  it("merges", function()
    local a, b = metrics.Accuracy(), metrics.Accuracy()
    b:update(pl.tensor(logits), labels(targets))
    a:merge(b)
    a:merge(b)
    a:merge(metrics.Accuracy())
    assert.are.equal(0.25, a:compute())
    b:update(pl.tensor{ { 0, 1, 0 } }, labels{ 2 })
    assert.are.equal(0.25, a:compute())
  end)
end)

describe("metrics.Mean", function()
  it("is that of all elements, of outputs or of what a function gives", function()
    local mean = metrics.Mean()
    assert.is_nil(mean:compute())
    mean:update(pl.tensor{ 1, 2, 3 })
    mean:update(pl.tensor{ 10 })
    assert.are.equal(4, mean:compute())
    local far = metrics.Mean{ name = "distance", value = function(outputs, wanted)
      return (outputs - wanted):abs()
    end }
    far:update(pl.tensor{ 1, 2 }, pl.tensor{ 3, 1 })
    assert.are.equal(1.5, far:compute())
    assert.are.equal("distance", far.name)
    mean:merge(far)
    mean:merge(metrics.Mean())
    assert.is_near(19 / 6, mean:compute(), 1e-12)
    mean:reset()
    assert.is_nil(mean:compute())
  end)

  it("outlives the scopes of its batches", function()
    local mean = metrics.Mean()
    for i = 1, 3 do pl.scope(function() mean:update(pl.full({ 2 }, i)) end) end
    assert.are.equal(2, mean:compute())
  end)
end)

describe("metrics.ConfusionMatrix", function()
  it("counts classes against classes", function()
    local matrix = metrics.ConfusionMatrix(3)
    assert.is_nil(matrix:compute())
    pl.scope(function() matrix:update(pl.tensor(logits), labels(targets)) end)
    assert.are.same({ { 1, 0, 0 }, { 0, 0, 1 }, { 1, 1, 0 } }, matrix:compute())
    local other = metrics.ConfusionMatrix{ num_classes = 3 }
    other:merge(matrix)
    other:merge(matrix)
    other:merge(metrics.ConfusionMatrix(3))
    assert.are.same({ { 2, 0, 0 }, { 0, 0, 2 }, { 2, 2, 0 } }, other:compute())
    assert.are.same({ { 1, 0, 0 }, { 0, 0, 1 }, { 1, 1, 0 } }, matrix:compute())
    matrix:reset()
    assert.is_nil(matrix:compute())
  end)
end)

describe("Trainer metrics", function()
  -- The inputs are the logits.
  local Same = class("Same", nn.Module)
  function Same:init() self.scale = nn.Parameter(pl.ones(1)) end
  function Same:forward(x) return x * self.scale end

  local Count = class("Count", metrics.Metric)
  function Count:init() self.name = "batches" end
  function Count:reset() self.n = 0 end
  function Count:update() self.n = self.n + 1 end
  function Count:compute() return self.n end
  function Count:merge(other) self.n = self.n + other.n end

  local set = data.TensorDataset(pl.tensor(logits), labels(targets))

  local function make(options)
    local model = Same()
    options.model, options.loss_func = model, nn.CrossEntropyLoss()
    options.optimizer = optim.SGD(model:parameters(), { lr = 0 })
    options.quiet = true
    return pl.Trainer(options)
  end

  it("are recorded for training, evaluation and evaluate, in order", function()
    local trainer = make{ metrics = { "accuracy", Count() } }
    local history = trainer:train{ train_dataset = set, eval_dataset = set, num_epochs = 2,
      per_device_batch_size = 3 }
    assert.are.same({ "train_loss_epoch", "train_accuracy", "train_batches", "eval_loss_epoch",
      "eval_accuracy", "eval_batches" }, history:get_metric_names())
    assert.are.same({ 0.25, 0.25 }, history:get_metric_values("train_accuracy"))
    assert.are.same({ 2, 2 }, history:get_metric_values("eval_batches"))
    local result = trainer:evaluate{ dataset = set, per_device_batch_size = 1 }
    assert.are.equal(0.25, result.evaluation_accuracy)
    assert.are.equal(4, result.evaluation_batches)
  end)

  it("may be left out of training", function()
    local trainer = make{ metrics = { "accuracy" }, train_metrics = false }
    local history = trainer:train{ train_dataset = set, num_epochs = 1 }
    assert.are.same({ "train_loss_epoch" }, history:get_metric_names())
  end)

  it("are refused when unknown or incomplete", function()
    local ok, err = pcall(make, { metrics = { "acuracy" } })
    assert.is_false(ok)
    assert.are.equal("there is no metric 'acuracy' (did you mean 'accuracy'?)", err.message)
    ok, err = pcall(make, { metrics = { { update = print } } })
    assert.is_false(ok)
    assert.truthy(err.message:find("has no compute", 1, true), err.message)
  end)
end)
