-- Where the time went: ops counted by the engine, modules and phases by Lua.
package.path = "./tests/state/?.lua;./tests/host/?.lua;" .. package.path
local pl = require "perilune"
local json_reader = require "perilune.json_reader"
local process = require "process"
local fails = require("support").fails
local class, nn, optim, data, callbacks = pl.class, pl.nn, pl.optim, pl.data, pl.callbacks
local engine = require "perilune.engine"

local function named(list, name, backward)
  for _, row in ipairs(list) do
    if row.name == name and (row.backward or false) == (backward or false) then return row end
  end
end

local function busy_wait(seconds)
  local over = engine.clock() + seconds
  while engine.clock() < over do end
end

describe("pl.profile", function()
  it("counts ops and their gradients, and answers what f returns", function()
    local x = nn.Parameter(pl.rand(4, 4))
    local profile, a, b = pl.profile(function(...)
      local y = x:relu():matmul(x)
      y:relu():sum():backward()
      return ...
    end, 7, nil)
    assert.are.same({ 7, nil }, { a, b })
    assert.are.equal(2, named(profile.ops, "relu").count)
    -- The gradient of a product is two products.
    assert.are.equal(3, named(profile.ops, "matmul").count)
    assert.are.equal(1, named(profile.ops, "matmul", true).count)
    assert.are.equal(2, named(profile.ops, "relu", true).count)
    local matmul = named(profile.ops, "matmul", true)
    assert.is_true(matmul.total >= matmul.self and matmul.self >= 0)
    assert.are.equal(2, named(profile.ops, "relu_backward").count)
  end)

  it("gives the time of inner ops to them alone", function()
    local profile = pl.profile(function()
      for _ = 1, 20 do pl.rand(64, 64):matmul(pl.rand(64, 64)):softmax(1):sum() end
    end)
    local inside, matmul = 0, named(profile.ops, "matmul")
    for _, op in ipairs(profile.ops) do inside = inside + op.self end
    assert.is_true(inside <= profile.seconds)
    assert.is_true(matmul.total <= profile.seconds)
    assert.are.equal(20, matmul.count)
  end)

  it("times modules without those inside, and names them by their paths", function()
    local Slow = class("Slow", nn.Module)
    function Slow:forward(x)
      busy_wait(0.002)
      return x
    end
    local Outer = class("Outer", nn.Module)
    function Outer:init() self.body = nn.Sequential{ nn.Linear(2, 2), Slow() } end
    function Outer:forward(x)
      busy_wait(0.001)
      return self.body(x)
    end
    local model = Outer()
    local profile = pl.profile(function() for _ = 1, 3 do model(pl.rand(1, 2)) end end)
    local outer, slow = named(profile.modules, "Outer"), named(profile.modules, "body.2 (Slow)")
    assert.are.equal(3, slow.count)
    assert.is_true(slow.self >= 0.006)
    assert.is_true(outer.total >= 0.009 and outer.self >= 0.003)
    assert.is_true(math.abs(outer.total - outer.self - named(profile.modules,
      "body (Sequential)").total) < 1e-9)
    assert.truthy(named(profile.modules, "body.1 (Linear)"))
  end)

  it("writes a trace of spans that lie inside each other", function()
    local folder = process.folder()
    local model = nn.Sequential{ nn.Linear(2, 2), nn.ReLU() }
    local profile = pl.profile(function() model(pl.rand(1, 2)) end)
    profile:export_chrome_trace(folder .. "/trace.json")
    local events = json_reader.decode(process.read(folder .. "/trace.json")).traceEvents
    local by_name = {}
    for _, event in ipairs(events) do by_name[event.name] = event end
    local outer, inner, op = by_name.Sequential, by_name["1 (Linear)"], by_name.linear
    assert.are.same({ "module", "module", "op" }, { outer.cat, inner.cat, op.cat })
    assert.is_true(outer.ts <= inner.ts and inner.ts <= op.ts + 0.001)
    assert.is_true(op.ts + op.dur <= inner.ts + inner.dur + 0.002)
    assert.is_true(inner.ts + inner.dur <= outer.ts + outer.dur + 0.002)
    assert.are.equal("X", op.ph)
    fails("io", "cannot write", profile.export_chrome_trace, profile, folder .. "/no/trace.json")
    process.remove(folder)
  end)

  it("keeps as many events as it is told, and sums all", function()
    local profile = pl.Profile{ max_events = 10 }
    profile:start()
    for _ = 1, 30 do pl.rand(2):neg() end
    profile:stop()
    assert.are.equal(10, #profile.events)
    assert.are.equal(30, named(profile.ops, "neg").count)
    assert.truthy(profile:table():find("50 events are not in the trace", 1, true))
  end)

  it("ends with an error in f, and errors leave no span open", function()
    fails("shape", "matmul", pl.profile, function() pl.rand(2, 3):matmul(pl.rand(2, 3)) end)
    local Failing = class("Failing", nn.Module)
    function Failing:forward() error("no") end
    local failing, good = Failing(), nn.Sequential{ nn.ReLU() }
    local profile = pl.profile(function()
      pcall(failing)
      good(pl.rand(1))
    end)
    assert.are.equal(1, named(profile.modules, "Failing").count)
    assert.are.equal(1, named(profile.modules, "1 (ReLU)").count)
    assert.are.equal(0, engine.context.profile)
  end)

  it("says what is wrong", function()
    fails("user", "a profile is being taken already", pl.profile, function()
      pl.profile(function() end)
    end)
    fails("user", "has not been taken yet", pl.Profile().table, pl.Profile())
    fails("argument", "must be a callable", pl.profile, 3)
    local profile = pl.profile(function() pl.rand(2):neg() end)
    fails("argument", "sort_by", profile.table, profile, { sort_by = "name" })
    local lines = select(2, profile:table{ row_limit = 1, sort_by = "count" }:gsub("\n", ""))
    assert.are.equal(5 - 1, lines)
  end)
end)

describe("Profiler", function()
  local set = data.TensorDataset(pl.rand(12, 3), pl.rand(12, 1))

  local function make(list)
    local model = nn.Sequential{ nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1) }
    return pl.Trainer{ model = model, loss_func = nn.MSELoss(), callbacks = list, quiet = true,
      optimizer = optim.SGD(model:parameters(), { lr = 0.1 }) }
  end

  local function run() return { train_dataset = set, eval_dataset = set, num_epochs = 2,
    per_device_batch_size = 3 } end

  it("times phases, events, waits for batches, modules and ops of a run", function()
    local profiler = callbacks.Profiler()
    local trainer = make{ profiler, { on_train_step_end = function() busy_wait(0.001) end } }
    trainer:train(run())
    local profile = profiler.profile
    assert.are.equal(8, named(profile.phases, "calculate_train_batch_loss").count)
    assert.are.equal(8, named(profile.phases, "calculate_eval_batch_loss").count)
    assert.are.equal(8, named(profile.phases, "optimizer_step").count)
    assert.are.equal(8, named(profile.phases, "on_train_step_end").count)
    assert.is_true(named(profile.phases, "on_train_step_end").self >= 0.008)
    assert.is_nil(named(profile.phases, "on_backward_end"))   -- nobody listens
    -- Four batches of each pass, and the answer that there are no more.
    assert.are.equal(20, named(profile.phases, "next_batch").count)
    assert.are.equal(16, named(profile.modules, "1 (Linear)").count)
    assert.are.equal(8, named(profile.ops, "sgd_step").count)
    assert.are.equal(32, named(profile.ops, "linear").count)
    local loss = named(profile.phases, "calculate_train_batch_loss")
    assert.is_true(loss.self < loss.total)
  end)

  it("leaves trainer and loaders as they were, after an error too", function()
    local profiler, fail = callbacks.Profiler(), false
    local trainer = make{ profiler, { on_backward_end = function()
      if fail then error("stop here") end
    end } }
    trainer:train(run())
    local loader = trainer.train_dataloader
    for _, name in ipairs{ "optimizer_step", "backward_step", "train_epoch_end" } do
      assert.is_nil(rawget(trainer, name))
    end
    assert.is_nil(rawget(loader, "batches_after"))
    assert.is_nil(rawget(trainer.callback_handler, "call_event"))
    fail = true
    fails("user", "stop here", trainer.train, trainer, run())
    assert.is_nil(rawget(trainer, "optimizer_step"))
    assert.are.equal(1, named(profiler.profile.phases, "backward_step").count)
    assert.are.equal(0, engine.context.profile)
  end)

  it("changes no number, and profiles evaluations and predictions", function()
    local function weights(list)
      pl.manual_seed(4)
      local trainer = make(list)
      trainer:train(run())
      return trainer.model:parameters()[1]:totable(), trainer
    end
    local profiler = callbacks.Profiler()
    local plain = weights{}
    local profiled, trainer = weights{ profiler }
    assert.are.same(plain, profiled)
    trainer:evaluate{ dataset = set, per_device_batch_size = 4 }
    assert.are.equal(3, named(profiler.profile.phases, "calculate_eval_batch_loss").count)
    trainer:predict{ dataset = set, per_device_batch_size = 4 }
    assert.are.equal(3, named(profiler.profile.phases, "calculate_predictions").count)
    assert.are.equal(4, named(profiler.profile.phases, "next_batch").count)
  end)

  it("writes its trace where the trainer keeps its files", function()
    local folder = process.folder()
    local trainer = make{ callbacks.Profiler{ trace = "trace.json", max_events = 50 } }
    trainer.root_dir = folder
    trainer:train(run())
    local trace = json_reader.decode(process.read(folder .. "/trace.json"))
    assert.are.equal(50 + 50 + 1, #trace.traceEvents)
    process.remove(folder)
  end)
end)
