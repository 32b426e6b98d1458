-- The Trainer's way to hardware: which accelerator, strategy and precision it gets, when each is
-- called in a run, and that modules and batches arrive where they belong.
local pl = require "perilune"
local class, nn, optim, data = pl.class, pl.nn, pl.optim, pl.data
local accelerators, Accelerator = pl.accelerators, pl.Accelerator

local function error_of(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err
end

-- An accelerator of Lua alone that computes on the CPU and notes its calls in `calls`.
local function recorder(calls)
  local Recorder = class("Recorder", Accelerator)
  local function note(...) calls[#calls + 1] = table.concat({ ... }, " ") end
  function Recorder:name() return "recorder" end
  function Recorder:is_available() note "is_available" return true end
  function Recorder:auto_device_count() note "auto_device_count" return 1 end
  function Recorder:parse_devices(value) note("parse_devices", value) return { value } end
  function Recorder:get_parallel_devices(ids)
    note("get_parallel_devices", #ids)
    return { "cpu" }
  end
  function Recorder:setup_device(device) note("setup_device", device) end
  function Recorder:setup(trainer) note("setup", trainer.state) end
  function Recorder:get_device_stats(device) note("get_device_stats", device) return { x = 1 } end
  function Recorder:teardown() note "teardown" end
  return Recorder
end

local function dataset(n)
  return data.TensorDataset(pl.randn(n, 3), pl.randn(n, 1))
end

local function make(o)
  local model = o.model or nn.Linear(3, 1)
  local options = { model = model, loss_func = nn.MSELoss(),
    optimizer = optim.SGD(model:parameters(), { lr = 0.1 }), callbacks = {}, seed = 1,
    quiet = true }
  for key, value in pairs(o) do options[key] = value end
  options.class = nil
  return (o.class or pl.Trainer)(options)
end

local function train(trainer, n)
  return trainer:train{ train_dataset = dataset(n or 8), num_epochs = 1, per_device_batch_size = 4 }
end

describe("accelerator =", function()
  it("auto is the CPU, also beside null and a stranger without a priority", function()
    local calls = {}
    accelerators:register("stranger", recorder(calls))
    finally(function() accelerators:remove("stranger") end)
    for _, value in ipairs{ "auto", false } do
      local trainer = make{ accelerator = value or nil }
      assert.are.equal("cpu", trainer.device)
      assert.are.equal("CPUAccelerator", tostring(trainer.strategy.accelerator))
    end
    assert.are.same({}, calls)
  end)

  it("auto is the available one with the highest priority", function()
    local High, Higher = recorder({}), recorder({})
    High.priority, Higher.priority = 1, 2
    function Higher:is_available() return false end
    accelerators:register("high", High)
    accelerators:register("higher", Higher)
    finally(function()
      accelerators:remove("high")
      accelerators:remove("higher")
    end)
    assert.is_true(make{}.strategy.accelerator:is_a(High))
  end)

  it("gpu is the best one that says it is a GPU, else an error", function()
    local err = error_of(make, { accelerator = "gpu" })
    assert.are.equal("device", err.kind)
    assert.truthy(err.message:find("accelerator = 'gpu': no GPU", 1, true), err.message)
    assert.truthy(err.message:find("available here: cpu, luna, null", 1, true), err.message)
    local Gpu = recorder({})
    Gpu.is_gpu = true
    accelerators:register("my_gpu", Gpu)
    finally(function() accelerators:remove("my_gpu") end)
    assert.is_true(make{ accelerator = "gpu" }.strategy.accelerator:is_a(Gpu))
  end)

  it("a name, a class or an instance trains", function()
    local Recorder = recorder({})
    accelerators:register("recorder", Recorder)
    finally(function() accelerators:remove("recorder") end)
    for _, value in ipairs{ "recorder", Recorder, Recorder() } do
      local trainer = make{ accelerator = value, devices = 1 }
      train(trainer)
      assert.are.equal("finished", trainer.state)
      assert.is_true(trainer.strategy.accelerator:is_a(Recorder))
    end
  end)

  it("one that is not available says why, and what is", function()
    local Absent = recorder({})
    function Absent:is_available() return false, "its cable is not plugged in" end
    local err = error_of(make, { accelerator = Absent })
    assert.truthy(err.message:find("accelerator = Recorder: its cable is not plugged in; "
      .. "available here: cpu, luna, null", 1, true), err.message)
  end)

  it("anything else is refused", function()
    for _, value in ipairs{ 3, {}, true, false, nn.Linear, nn.Linear(1, 1), print } do
      local err = error_of(make, { accelerator = value })
      assert.are.equal("accelerator", err.argument)
      assert.truthy(err.message:find("subclass of pl.Accelerator, got", 1, true), err.message)
    end
    assert.truthy(error_of(make, { accelerator = Accelerator }).message
      :find("Accelerator needs a method name()", 1, true))
  end)
end)

describe("devices and strategy", function()
  it("are checked before a strategy for one device refuses several", function()
    for _, strategy in ipairs{ "auto", "single_device" } do
      local err = error_of(make, { devices = 2, strategy = strategy })
      assert.are.equal("strategy", err.argument)
      assert.truthy(err.message:find("strategy = 'single_device' cannot use 2 devices (cpu, cpu)",
        1, true), err.message)
    end
    assert.are.equal("devices", error_of(make, { devices = { 1, 1 } }).argument)
    assert.are.equal("devices", error_of(make, { accelerator = "null", devices = 2 }).argument)
    for _, value in ipairs{ true, false, 1.5, {} } do
      assert.are.equal("devices", error_of(make, { devices = value }).argument)
    end
  end)

  it("auto is the best strategy that accepts the devices", function()
    local Many = class("Many", pl.Strategy)
    Many.priority = 1
    function Many:accepts(count) return count > 1 end
    pl.strategies:register("many", Many)
    finally(function() pl.strategies:remove("many") end)
    local trainer = make{ devices = 2 }
    assert.is_true(trainer.strategy:is_a(Many))
    assert.are.same({ "cpu", "cpu" }, trainer.strategy.parallel_devices)
    assert.are.equal("single_device", pl.strategies:best_for(1))
    local err = error_of(make, { devices = 1, strategy = Many })
    assert.truthy(err.message:find("strategy = Many cannot use 1 devices", 1, true), err.message)
  end)

  it("of a wrong type are refused with the names there are", function()
    local err = error_of(make, { strategy = {} })
    assert.truthy(err.message:find("strategy must be a name, or an instance or subclass of "
      .. "pl.Strategy, got a table; the names are single_device", 1, true), err.message)
    err = error_of(make, { precision = true })
    assert.truthy(err.message:find("precision must be a name", 1, true), err.message)
    assert.are.equal("precision", error_of(make, { precision = "33" }).argument)
  end)
end)

describe("An accelerator's life", function()
  local calls, Recorder, watcher

  before_each(function()
    calls = {}
    Recorder = recorder(calls)
    watcher = {}
    for _, event in ipairs{ "on_init_end", "on_training_run_start", "on_train_step_start",
      "on_training_run_end", "on_evaluation_run_start", "on_evaluation_run_end",
      "on_predict_run_start", "on_predict_run_end", "on_exception", "on_teardown" } do
      watcher[event] = function() calls[#calls + 1] = event end
    end
  end)

  local made = { "is_available", "auto_device_count", "parse_devices 1", "get_parallel_devices 1",
    "on_init_end" }

  local function lived(...)
    local expected = { unpack(made) }
    for _, name in ipairs{ ... } do expected[#expected + 1] = name end
    assert.are.same(expected, calls)
  end

  local function make_recorded(o)
    o = o or {}
    o.accelerator, o.callbacks = Recorder, { watcher }
    return make(o)
  end

  it("in a run that succeeds", function()
    local Loaders = class("Loaders", pl.Trainer)
    function Loaders:create_train_dataloader(...)
      calls[#calls + 1] = "create_train_dataloader"
      return pl.Trainer.create_train_dataloader(self, ...)
    end
    local model = nn.Linear(3, 1)
    function model:to(...)
      calls[#calls + 1] = "model:to"
      return nn.Linear.to(self, ...)
    end
    train(make_recorded{ class = Loaders, model = model })
    lived("setup_device cpu", "create_train_dataloader", "setup running", "model:to",
      "on_training_run_start", "on_train_step_start", "on_train_step_start", "on_training_run_end",
      "on_teardown", "teardown")
  end)

  it("in an evaluation and a prediction", function()
    local trainer = make_recorded()
    trainer:evaluate{ dataset = dataset(4) }
    trainer:predict{ dataset = dataset(4) }
    lived("setup_device cpu", "setup running", "on_evaluation_run_start", "on_evaluation_run_end",
      "on_teardown", "teardown",
      "setup_device cpu", "setup running", "on_predict_run_start", "on_predict_run_end",
      "on_teardown", "teardown")
  end)

  it("with an error in the loop", function()
    local trainer = make_recorded()
    function trainer.loss_func() error("no loss") end
    local err = error_of(train, trainer)
    assert.truthy(err.message:find("no loss", 1, true))
    lived("setup_device cpu", "setup running", "on_training_run_start", "on_train_step_start",
      "on_exception", "on_teardown", "teardown")
  end)

  it("with a setup that fails, and then again with one that does not", function()
    local fails = true
    local setup = Recorder.setup
    function Recorder:setup(trainer)
      setup(self, trainer)
      if fails then error("no power") end
    end
    local trainer = make_recorded()
    assert.truthy(error_of(train, trainer).message:find("no power", 1, true))
    assert.are.equal("failed", trainer.state)
    lived("setup_device cpu", "setup running", "on_exception", "on_teardown", "teardown")
    fails = false
    train(trainer)
    assert.are.equal("finished", trainer.state)
    assert.are.equal("teardown", calls[#calls])
  end)

  it("with a setup_device that fails", function()
    function Recorder:setup_device() error("no such card") end
    assert.truthy(error_of(train, make_recorded()).message:find("no such card", 1, true))
    lived("on_exception", "on_teardown", "teardown")
  end)

  it("ends with teardown even where a callback's on_teardown fails", function()
    function watcher.on_teardown() error("a callback's fault") end
    local trainer = make_recorded()
    assert.truthy(error_of(train, trainer).message:find("a callback's fault", 1, true))
    assert.are.equal("teardown", calls[#calls])
    assert.are.equal("failed", trainer.state)
  end)

  it("does not ask for the count where devices are given", function()
    make_recorded{ devices = 7 }
    assert.are.same({ "is_available", "parse_devices 7", "get_parallel_devices 1", "on_init_end" },
      calls)
  end)
end)

describe("On another device", function()
  it("model, loss and batches arrive, and so do batches made in Lua", function()
    local seen = {}
    local Lists = class("Lists", data.Dataset)
    function Lists:size() return 8 end
    function Lists:get() return { input = pl.ones(3), target = pl.ones(1), tag = "x" } end
    local Named = class("Named", pl.Trainer)
    function Named:calculate_train_batch_loss(batch)
      seen[#seen + 1] = { batch.input.device, batch.target.device, batch.tag[1] }
      return { loss = self.loss_func(self.model(batch.input), batch.target), batch_size = 4 }
    end
    local trainer = make{ class = Named, accelerator = "null" }
    trainer.teacher = nn.Linear(2, 2)
    trainer:add_callback(pl.callbacks.MoveModulesToDeviceCallback)
    trainer:train{ train_dataset = Lists(), num_epochs = 1, per_device_batch_size = 4 }
    assert.are.same({ { "null:0", "null:0", "x" }, { "null:0", "null:0", "x" } }, seen)
    assert.are.equal("null:0", trainer.model.weight.device)
    assert.are.equal("null:0", trainer.teacher.weight.device)
  end)

  it("C makes batches there, and the run's numbers come back", function()
    local trainer = make{ accelerator = "null" }
    local devices = {}
    trainer:add_callback{ on_train_step_start = function(_, _, batch)
      devices[#devices + 1] = batch[1].device
    end }
    local history = train(trainer)
    assert.are.same({ "null:0", "null:0" }, devices)
    assert.are.equal(0, history:get_latest_metric("train_loss_epoch"))
    assert.are.equal("null:0", trainer:predict{ dataset = dataset(4) }.device)
  end)
end)

describe("precision =", function()
  it("64 makes model and batches f64", function()
    local dtypes = {}
    local trainer = make{ precision = 64 }
    trainer:add_callback{ on_train_batch_loss = function(_, _, batch, output)
      dtypes[#dtypes + 1] = { batch[1].dtype, batch[2].dtype, output.loss.dtype }
    end }
    train(trainer, 4)
    assert.are.same({ { "f64", "f64", "f64" } }, dtypes)
    assert.are.equal("f64", trainer.model.weight.dtype)
  end)

  it("32 leaves them alone", function()
    local trainer = make{ precision = 32, model = nn.Linear(3, 1):double() }
    trainer.loss_func = function(outputs) return outputs:sum() end
    local Doubles = data.TensorDataset(pl.randn(4, 3):to("f64"), pl.randn(4, 1):to("f64"))
    trainer:train{ train_dataset = Doubles, num_epochs = 1, per_device_batch_size = 4 }
    assert.are.equal("f64", trainer.model.weight.dtype)
  end)

  it("an object of one's own is asked at every turn", function()
    local calls = {}
    local Noted = class("Noted", pl.Precision)
    Noted.mixed_precision = "bf16"
    for _, name in ipairs{ "convert_module", "convert_batch", "forward", "backward",
      "unscale_gradients", "clip_gradients", "optimizer_step", "teardown" } do
      Noted[name] = function(self, ...)
        calls[#calls + 1] = name
        return pl.Precision[name](self, ...)
      end
    end
    local trainer = make{ precision = Noted, callbacks = { {
      on_before_optimizer_step = function() calls[#calls + 1] = "on_before_optimizer_step" end,
    } } }
    trainer:train{ train_dataset = dataset(8), num_epochs = 1, per_device_batch_size = 4,
      gradient_accumulation_steps = 2, gradient_clip_norm = 1 }
    assert.are.same({ "convert_module", "convert_batch", "forward", "backward", "convert_batch",
      "forward", "backward", "unscale_gradients", "on_before_optimizer_step", "clip_gradients",
      "optimizer_step", "teardown" }, calls)
    assert.are.equal("bf16", trainer.run_config.mixed_precision)
  end)

  it("that leaves out an update holds the scheduler back", function()
    local Skipping = class("Skipping", pl.Precision)
    function Skipping:optimizer_step(optimizer)
      self.asked = (self.asked or 0) + 1
      if self.asked == 2 then return false end
      return pl.Precision.optimizer_step(self, optimizer)
    end
    local steps = 0
    local trainer = make{ precision = Skipping() }
    trainer:train{ train_dataset = dataset(12), num_epochs = 1, per_device_batch_size = 4,
      create_scheduler_fn = function() return { step = function() steps = steps + 1 end } end }
    assert.are.equal(3, trainer.update)
    assert.are.equal(2, steps)
  end)
end)
