-- Callbacks that change how a run goes, and the order in which callbacks come.
local pl = require "perilune"
local class, nn, optim, data, callbacks = pl.class, pl.nn, pl.optim, pl.data, pl.callbacks
local lfs = require "lfs"
local Trainer = pl.Trainer

local function set(n)
  return data.TensorDataset(pl.randn(n, 2), pl.randn(n, 1))
end

local function make(list)
  local model = nn.Linear(2, 1)
  return Trainer{ model = model, loss_func = nn.MSELoss(), callbacks = list, quiet = true,
    optimizer = optim.SGD(model:parameters(), { lr = 0.1 }) }
end

describe("LambdaCallback", function()
  it("calls functions without the callback", function()
    local seen = {}
    local trainer = make{ callbacks.LambdaCallback{
      on_train_step_end = function(t, batch, output, step)
        seen[#seen + 1] = { t.update, batch[1]:size(1), output.batch_size, step }
      end } }
    trainer:train{ train_dataset = set(4), num_epochs = 1, per_device_batch_size = 2 }
    assert.are.same({ { 1, 2, 2, 1 }, { 2, 2, 2, 2 } }, seen)
  end)

  it("refuses what is no function of an event", function()
    assert.has_error(function() callbacks.LambdaCallback{ on_train_step_end = 3 } end)
    assert.has_error(function() callbacks.LambdaCallback{ train_step_end = print } end)
    local ok, err = pcall(make, { callbacks.LambdaCallback{ on_train_step_ended = print } })
    assert.is_false(ok)
    assert.truthy(err.message:find("did you mean 'on_train_step_end'", 1, true), err.message)
  end)
end)

describe("GradientAccumulationScheduler", function()
  it("changes the batches of an update from an epoch on", function()
    local trainer = make{ callbacks.GradientAccumulationScheduler{
      scheduling = { { 2, 2 }, { 3, 4 } } } }
    local updates = {}
    trainer:add_callback({ on_train_epoch_end = function(_, t)
      updates[#updates + 1] = t.update
    end })
    trainer:train{ train_dataset = set(8), num_epochs = 4, per_device_batch_size = 1 }
    assert.are.same({ 8, 12, 14, 16 }, updates)
  end)

  it("refuses what is no schedule", function()
    for _, scheduling in ipairs{ { { 2, 2 }, { 1, 4 } }, { { 0, 1 } }, { 3 }, { { 1, 1.5 } } } do
      local ok, err = pcall(callbacks.GradientAccumulationScheduler, { scheduling = scheduling })
      assert.is_false(ok)
      assert.truthy(err.message:find("must be { epoch, batches }", 1, true), err.message)
    end
  end)
end)

describe("LimitBatchesCallback", function()
  it("limits every loop", function()
    local counts = { train = 0, eval = 0 }
    local trainer = make{ callbacks.LimitBatchesCallback(2), {
      on_train_step_end = function() counts.train = counts.train + 1 end,
      on_eval_step_end = function() counts.eval = counts.eval + 1 end } }
    trainer:train{ train_dataset = set(8), num_epochs = 2, per_device_batch_size = 1,
      eval_dataset = { { "a", set(3) }, { "b", set(1) } } }
    assert.are.same({ train = 4, eval = 6 }, counts)
    trainer:evaluate{ dataset = set(5), per_device_batch_size = 1 }
    assert.are.equal(8, counts.eval)
  end)
end)

describe("Priority", function()
  it("orders callbacks; equal ones keep their places", function()
    local order = {}
    local function callback(name, priority)
      return { name = name, priority = priority,
        on_training_run_start = function() order[#order + 1] = name end }
    end
    local trainer = make{ callback("log", -100), callback("a"), callback("first", 5),
      callback("b") }
    trainer:train{ train_dataset = set(2), num_epochs = 1 }
    assert.are.same({ "first", "a", "b", "log" }, order)
    assert.is_true(callbacks.LogMetricsCallback.priority < 0)
  end)
end)

describe("PredictionWriter", function()
  local directory
  before_each(function()
    directory = os.tmpname()
    os.remove(directory)
    lfs.mkdir(directory)
  end)
  after_each(function()
    for name in lfs.dir(directory) do os.remove(directory .. "/" .. name) end
    lfs.rmdir(directory)
  end)

  local Same = class("Same", nn.Module)
  function Same.forward(_, x) return x end
  local inputs
  before_each(function() inputs = pl.tensor{ { 0.5, -1 }, { 2, 3 }, { 0.1, 0 } } end)

  local function written(columns, class_of)
    local path = directory .. "/out.csv"
    local trainer = (class_of or Trainer){ model = Same(), quiet = true, callbacks = {
      callbacks.PredictionWriter{ path = path, columns = columns } } }
    trainer:predict{ dataset = data.TensorDataset(inputs), per_device_batch_size = 2 }
    return io.open(path):read("*a")
  end

  it("writes outputs or classes, counted from 0", function()
    assert.are.equal("sample_from_0,output_0,output_1\n0,0.5,-1\n1,2,3\n2,0.100000001,0\n",
      written())
    assert.are.equal("sample_from_0,class_from_0\n0,0\n1,1\n2,0\n", written("class"))
  end)

  it("writes as many digits as the dtype holds", function()
    inputs = pl.tensor({ 0.1, 0 / 0 }, { dtype = "f64" })
    assert.are.equal("sample_from_0,output_0\n0,0.10000000000000001\n1,nan\n", written())
    inputs = pl.tensor({ { 12345678901, -1 } }, { dtype = "i64" })
    assert.are.equal("sample_from_0,output_0,output_1\n0,12345678901,-1\n", written())
    inputs = pl.tensor{ true, false }
    assert.are.equal("sample_from_0,output_0\n0,true\n1,false\n", written())
  end)

  it("refuses classes of what has none, and lines of other lengths", function()
    inputs = pl.tensor{ 0.5, 1 }
    local ok, err = pcall(written, "class")
    assert.is_false(ok)
    assert.truthy(err.message:find("needs outputs of samples x classes", 1, true), err.message)
    inputs = pl.ones(3, 2)
    local Ragged = class("Ragged", Trainer)
    function Ragged.calculate_predictions(_, batch)
      return batch[1]:narrow(2, 1, batch[1]:size(1))
    end
    ok, err = pcall(written, "outputs", Ragged)
    assert.is_false(ok)
    assert.truthy(err.message:find("this batch has 1 columns, those before had 2", 1, true),
      err.message)
  end)

  it("writes batch by batch, and takes the file's place at the end", function()
    local Watching = class("Watching", Trainer)
    local rows = 4000
    local many, largest = pl.rand(rows, 2), 0
    function Watching.calculate_predictions(_, batch)
      for name in lfs.dir(directory) do
        assert.are_not.equal("out.csv", name)
        largest = math.max(largest, lfs.attributes(directory .. "/" .. name, "size"))
      end
      return batch[1]
    end
    local path = directory .. "/out.csv"
    local trainer = Watching{ model = Same(), quiet = true,
      callbacks = { callbacks.PredictionWriter{ path = path } } }
    trainer:predict{ dataset = data.TensorDataset(many), per_device_batch_size = 500,
      return_predictions = false }
    local size = lfs.attributes(path, "size")
    assert.is_true(largest > size / 2 and largest < size)
    assert.are.equal(rows + 1, select(2, io.open(path):read("*a"):gsub("\n", "")))
  end)

  it("writes nothing of a prediction that failed", function()
    local Failing = class("Failing", Trainer)
    function Failing.calculate_predictions(_, batch)
      if batch[1]:size(1) == 1 then error("no") end
      return batch[1]
    end
    assert.is_false(pcall(written, "outputs", Failing))
    for name in lfs.dir(directory) do assert.truthy(name:find("^%.%.?$"), name) end
  end)

  it("refuses other outputs", function()
    local Deep = class("Deep", Trainer)
    function Deep.calculate_predictions(_, batch) return { batch[1] } end
    local ok, err = pcall(written, "outputs", Deep)
    assert.is_false(ok)
    assert.truthy(err.message:find("PredictionWriter writes tensors of samples", 1, true),
      err.message)
  end)
end)
