-- What a new user does wrong, and the sentence that it gets.
local pl = require "perilune"
local class, nn, optim, data, callbacks = pl.class, pl.nn, pl.optim, pl.data, pl.callbacks

local function set(n)
  return data.TensorDataset(pl.randn(n, 4), pl.ones(n, { dtype = "i64" }))
end

local function make(fields)
  local model = nn.Sequential{ nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3) }
  local options = { model = model, loss_func = nn.CrossEntropyLoss(), quiet = true,
    optimizer = optim.SGD(model:parameters(), { lr = 0.1 }), callbacks = {} }
  for name, value in pairs(fields or {}) do options[name] = value end
  return pl.Trainer(options)
end

local function refuses(words, f)
  local ok, err = pcall(f)
  assert.is_false(ok)
  assert.truthy(tostring(err):find(words, 1, true), tostring(err))
  assert.truthy(tostring(err):find("mistakes_spec.lua", 1, true), tostring(err))
end

local function train_refuses(words, options, fields)
  options.train_dataset = options.train_dataset or set(8)
  options.num_epochs = 1
  refuses(words, function() make(fields):train(options) end)
end

-- A dataset whose get is the function.
local function dataset(get)
  local Own = class("Own", data.Dataset)
  function Own.size() return 8 end
  Own.get = get
  return Own()
end

describe("A mistake", function()
  it("in the name of an option shows what there is", function()
    refuses("Trainer:evaluate: unknown option 'batch_size' (did you mean 'per_device_batch_size'?)",
      function() make():evaluate{ dataset = set(2), batch_size = 2 } end)
    refuses("SGD: unknown option 'learning_rate'; it takes params, lr, momentum", function()
      optim.SGD(nn.Linear(1, 1):parameters(), { learning_rate = 0.1 })
    end)
    refuses("callbacks has no 'EarlyStop' (did you mean 'EarlyStopping'?)", function()
      return callbacks.EarlyStop
    end)
  end)

  it("in the form of an option shows the form", function()
    train_refuses("'limit_train_batches' must be a table, got 3 ({ batches = n } or {",
      { limit_train_batches = 3 })
    train_refuses("'eval_every' must be a table, got 3 ({ updates = n }", { eval_every = 3 })
  end)

  it("in a list is not passed over", function()
    refuses("'model' is required", function() pl.Trainer{} end)
    refuses("'callbacks' must be a list, got a table with the key 'timer'", function()
      make{ callbacks = { timer = callbacks.Timer } }
    end)
    refuses("'callbacks' must be a list, got a list with nil at 2", function()
      make{ callbacks = { callbacks.Timer, nil, callbacks.ModelSummary } }
    end)
    refuses("'metrics' must be a list, got a table with the key 'accuracy'", function()
      make{ metrics = { accuracy = true } }
    end)
    refuses("a callback must be a class, an instance or a table of functions, got 'Timer'",
      function() make{ callbacks = { "Timer" } } end)
    for _, given in ipairs{ { set(2), set(3) }, { clean = set(2) },
      { { "clean", set(2) }, set(3) } } do
      train_refuses("several evaluation sets are a list of a name and a dataset each",
        { eval_dataset = given })
    end
  end)

  it("of a dot for a colon is said", function()
    refuses("train is a method: write trainer:train{ ... }, with a colon", function()
      make().train{ train_dataset = set(8), num_epochs = 1 }
    end)
  end)

  it("of a class for what is made of it is said", function()
    refuses("'model' is the class Linear; give an object made of it, Linear(...)", function()
      make{ model = nn.Linear }
    end)
    refuses("'loss_func' is the class MSELoss; give an object made of it, MSELoss(...)", function()
      make{ loss_func = nn.MSELoss }
    end)
    refuses("'optimizer' is the class SGD; give an object made of it, SGD(...)", function()
      make{ optimizer = pl.optim.SGD }
    end)
    train_refuses("create_scheduler_fn is the class StepLR; give StepLR:create_scheduler_fn{ ... }",
      { create_scheduler_fn = pl.schedulers.StepLR })
  end)

  it("in what a function returns names the function", function()
    train_refuses("create_scheduler_fn must return an object with step(), got 5",
      { create_scheduler_fn = function() return 5 end })
    train_refuses("the loss of a batch must be one number, got a tensor of shape 8x3", {},
      { loss_func = function(outputs) return outputs end })
    train_refuses("collate_fn returned nothing", { train_dataset = dataset(function() return 1 end),
      collate_fn = function() end })
    train_refuses("the first value of a batch must be a tensor, got 5",
      { train_dataset = dataset(function() return 1 end), collate_fn = function() return 5 end })
    local ok, err = pcall(function()
      make():train{ train_dataset = dataset(function(_, i)
        if i ~= 3 then return pl.randn(4), 1 end
      end), num_epochs = 1, train_dataloader_kwargs = { shuffle = false, num_workers = 1 } }
    end)
    assert.is_false(ok)
    assert.truthy(err.message:find("the dataset's get(3) returned nothing", 1, true), err.message)
  end)

  it("in a dataset or sampler says what they have", function()
    for _, size in ipairs{ -3, 2.5, "8", false } do
      local Sized = class("Sized", data.Dataset)
      function Sized.size() return size or nil end
      function Sized.get() return pl.randn(4), 1 end
      train_refuses("the dataset's size() must be an integer >= 0, got ",
        { train_dataset = Sized() })
    end
    train_refuses("a sampler has size() and iterate(epoch); for a list of positions",
      { train_dataloader_kwargs = { sampler = { 1, 2, 3 } } })
  end)

  it("of an empty set says which", function()
    train_refuses("the loader of train_dataset gave no batch", { train_dataset = set(0) })
    train_refuses("the loader of the evaluation gave no batch", { eval_dataset = set(0) })
    train_refuses("the loader of the evaluation set 'noisy' gave no batch",
      { eval_dataset = { { "clean", set(2) }, { "noisy", set(0) } } })
  end)

  it("in the name of a metric ends the run, whoever watches it", function()
    for _, callback in ipairs{ callbacks.ModelCheckpoint{ monitor = "eval_los_epoch" },
      callbacks.EarlyStopping{ monitor = "eval_los_epoch" },
      callbacks.SaveBestModelCallback{ watch_metric = "eval_los_epoch" } } do
      train_refuses("no metric \"eval_los_epoch\" has been recorded (did you mean 'eval_loss_",
        { eval_dataset = set(2) }, { callbacks = { callback } })
    end
    refuses("no metric \"eval_los_epoch\" has been recorded", function()
      make{ callbacks = { callbacks.ModelCheckpoint{ monitor = "eval_los_epoch" } } }:train{
        train_dataset = set(8), eval_dataset = set(2), num_epochs = 3, eval_every = { epochs = 2 } }
    end)
  end)

  it("of a run within the run of a trainer is refused; other trainers may run there", function()
    local other, updates = make(), 0
    local function within(f)
      return { callbacks = { { on_train_step_end = f } } }
    end
    train_refuses("it cannot start another (evaluate_now() evaluates within a run)", {},
      within(function(_, t) t:evaluate{ dataset = set(2) } end))
    train_refuses("an evaluation is under way already", { eval_dataset = set(2) },
      { callbacks = { { on_eval_step_end = function(_, t) t:evaluate_now() end } } })
    local trainer = make(within(function(_, t)
      other:train{ train_dataset = set(4), num_epochs = 1 }
      other:evaluate{ dataset = set(4) }
      assert.are.equal(2, pl.engine.context.interrupts)
      updates = t.update
    end))
    trainer:train{ train_dataset = set(8), num_epochs = 1, per_device_batch_size = 2 }
    assert.are.equal(4, updates)
    assert.are.equal(1, pl.engine.context.interrupts)
  end)
end)

describe("An error in a hook", function()
  it("of any event reaches every callback, and leaves the trainer able to run", function()
    local skipped = { on_init_end = true, on_exception = true, on_stop_training = true,
      on_non_finite_loss = true }
    for _, event in ipairs(pl.Trainer.events) do
      if not skipped[event] then
        local told = {}
        local bad = { name = "bad", [event] = function() error("broken") end }
        local trainer = make{ callbacks = { bad, {
          on_exception = function() told[#told + 1] = "exception" end,
          on_teardown = function() told[#told + 1] = "teardown" end } } }
        local function run()
          trainer:train{ train_dataset = set(8), eval_dataset = set(2), num_epochs = 1,
            sanity_batches = 1, log_every = { updates = 1 } }
          trainer:evaluate{ dataset = set(2) }
          trainer:predict{ dataset = set(2) }
        end
        local ok, err = pcall(run)
        assert.is_false(ok, event)
        assert.truthy(err.message:find("bad:" .. event, 1, true), err.message)
        assert.are.equal("teardown", told[#told], event)
        assert.are.equal("failed", trainer.state)
        trainer:remove_callback(bad)
        run()
        assert.are.equal(0, pl.context.current())
      end
    end
  end)
end)

describe("A loader that the trainer makes", function()
  it("shuffles only what has an order of its own to lose", function()
    local Stream = class("Stream", data.IterableDataset)
    function Stream.iterate()
      local n = 0
      return function()
        n = n + 1
        if n <= 6 then return pl.randn(4), 1 end
      end
    end
    local trainer = make()
    trainer:train{ train_dataset = Stream(), num_epochs = 2, per_device_batch_size = 2 }
    assert.are.equal(6, trainer.update)
    local order = data.SequentialSampler(set(8))
    local pairs_of_two = data.BatchSampler{ sampler = order, batch_size = 2 }
    trainer:train{ train_dataset = set(8), num_epochs = 1,
      train_dataloader_kwargs = { batch_sampler = pairs_of_two } }
    assert.are.equal(4, trainer.update)
  end)

  it("takes any object with size and iterate as a sampler", function()
    local seen = {}
    local sampler = { size = function() return 3 end, iterate = function()
      local n = 0
      return function()
        n = n + 1
        if n <= 3 then return 2 * n end
      end
    end }
    local Own = class("Own", data.Dataset)
    function Own.size() return 8 end
    function Own.get(_, i)
      seen[#seen + 1] = i
      return pl.randn(4), 1
    end
    make():train{ train_dataset = Own(), num_epochs = 1,
      train_dataloader_kwargs = { sampler = sampler } }
    assert.are.same({ 2, 4, 6 }, seen)
  end)
end)
