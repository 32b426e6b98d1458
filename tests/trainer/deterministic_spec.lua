-- Results that must not differ from run to run, and results that are not finite: who is to blame.
package.path = "./tests/state/?.lua;./tests/host/?.lua;" .. package.path
local pl = require "perilune"
local process = require "process"
local fails = require("support").fails
local class, nn, optim, data = pl.class, pl.nn, pl.optim, pl.data
local engine = require "perilune.engine"

local set = data.TensorDataset(pl.rand(8, 3), pl.rand(8, 1))
local run = { train_dataset = set, num_epochs = 1, per_device_batch_size = 4 }

local function make(model, options)
  options.model, options.loss_func, options.quiet = model, nn.MSELoss(), true
  options.optimizer = optim.SGD(model:parameters(), { lr = 0.1 })
  options.callbacks = options.callbacks or {}
  return pl.Trainer(options)
end

describe("deterministic", function()
  -- The null device, one of whose kernels says that it is not.
  local function with_flaky(source, script)
    local folder = process.folder()
    process.write(folder .. "/flaky.c", source)
    local built = process.run(("cc -std=gnu17 -shared -fPIC -I engine -I accelerators/null -o "
      .. "%s/libperilune_flaky.so %s/flaky.c"):format(folder, folder))
    assert.are.equal(0, built.code, built.err)
    process.write(folder .. "/script.lua", [[
      local pl = require "perilune"
      local x = pl.zeros({ 2, 2 }, { device = "flaky" })
      local function try(mode, f)
        pl.use_deterministic_algorithms(mode)
        local ok, err = pcall(f)
        print(ok or err.kind .. " " .. tostring(err.op) .. " " .. err.message)
      end
    ]] .. script)
    local result = process.run(("PERILUNE_ACCELERATORS=%s:$PERILUNE_ACCELERATORS %s %s/script.lua")
      :format(folder, process.perilune, folder))
    process.remove(folder)
    assert.are.equal(0, result.code, result.err)
    return result
  end

  it("refuses a kernel that declares itself, or says so once, and no other", function()
    local result = with_flaky('#include "null.c"\nNONDETERMINISTIC(relu);\n', [[
      try(false, function() x:relu() end)
      try(true, function() x:relu() end)
      try(true, function() x:relu_() end)
      try(true, function() x:neg() end)
      try("warn", function() for _ = 1, 3 do x:relu() end end)
    ]])
    local lines = {}
    for line in result.out:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.are.equal("true", lines[1])
    assert.truthy(lines[2]:find("device relu relu: the kernel of flaky:0 gives results that "
      .. "may differ from run to run, and deterministic results were asked for", 1, true), lines[2])
    assert.are.equal(lines[2], lines[3])
    assert.are.equal("true", lines[4])
    assert.are.equal("true", lines[5])
    assert.are.equal(1, select(2, result.err:gsub("relu: the kernel of flaky", "")))
  end)

  it("refuses a device that declares itself", function()
    local result = with_flaky([[
      #include "accelerator.h"
      enum { STRIDED = PL_CAP_STRIDED };
      #define PL_CAP_STRIDED (STRIDED | PL_CAP_NONDETERMINISTIC)
      #include "null.c"
    ]], "try(true, function() x:neg() end) try(false, function() x:neg() end)")
    assert.truthy(result.out:find("^device neg neg: the kernel of flaky"), result.out)
    assert.truthy(result.out:find("\ntrue\n$"))
  end)

  it("refuses a function that declares itself, in the runs of one trainer alone", function()
    local Noise = class("Noise", pl.Function)
    Noise.deterministic = false
    function Noise:forward(_, x) return x * 1 end
    function Noise:backward(_, grad) return grad end
    local Noisy = class("Noisy", nn.Module)
    function Noisy:init() self.layer = nn.Linear(3, 1) end
    function Noisy:forward(x) return Noise()(self.layer(x)) end
    local trainer = make(Noisy(), { deterministic = true })
    local err = fails("user", "Noise says that its results may differ from run to run",
      trainer.train, trainer, run)
    assert.are.equal("Noise", err.op)
    assert.are.equal(0, engine.context.deterministic)
    make(Noisy(), {}):train(run)
    local seen
    trainer = make(nn.Linear(3, 1), { deterministic = "warn", callbacks = { {
      on_train_epoch_start = function() seen = engine.context.deterministic end } } })
    trainer:train(run)
    assert.are.same({ 1, 0 }, { seen, engine.context.deterministic })
  end)

  it("takes true, false and \"warn\"", function()
    fails("argument", "deterministic", make, nn.Linear(3, 1), { deterministic = "maybe" })
    fails("argument", 'true, false or "warn", got 3', pl.use_deterministic_algorithms, 3)
  end)

  it("is left while a run is paused", function()
    local seen = {}
    local trainer = make(nn.Linear(3, 1), { deterministic = true, callbacks = { {
      on_train_step_end = function() seen[#seen + 1] = engine.context.deterministic end } } })
    trainer:steps(run)(trainer)
    assert.are.equal("paused", trainer.state)
    assert.are.equal(0, engine.context.deterministic)
    trainer:resume()
    assert.are.same({ 2, 2, 0 }, { seen[1], seen[2], engine.context.deterministic })
  end)
end)

describe("detect_anomaly", function()
  local function line() return debug.getinfo(2, "l").currentline end

  it("names the op whose gradient is not finite, and the line that called it", function()
    local x = nn.Parameter(pl.tensor{ 0, 1 })
    pl.detect_anomaly(true)
    local y, called = x:sqrt(), line()
    local z = y:sum()
    local err = fails("user", "the gradient of sqrt: ", z.backward, z)
    pl.detect_anomaly(false)
    assert.are.equal("sqrt", err.op)
    assert.truthy(err.message:find(("; sqrt was called at tests/trainer/deterministic_spec.lua:%d")
      :format(called), 1, true), err.message)
  end)

  it("names epoch, update, layer and line in a run", function()
    local Root, called = class("Root", nn.Module), nil
    function Root:forward(x)
      called = line() + 1
      local y = (x * 0):sqrt()
      return y
    end
    local model = nn.Sequential{ nn.Linear(3, 1), Root() }
    local trainer = make(model, { detect_anomaly = true })
    local err = fails("user", "detect_anomaly (epoch 1, update 1): the gradient of sqrt",
      trainer.train, trainer, run)
    assert.truthy(err.message:find(("deterministic_spec.lua:%d in Root '2' of Sequential")
      :format(called), 1, true), err.message)
    assert.are.same({ "sqrt", 1, 1 }, { err.op, err.epoch, err.update })
  end)

  it("names the line of an op whose own result is not finite", function()
    pl.detect_anomaly(true)
    local err = fails("user", "log: the result", function() pl.tensor{ -1 }:log():sum() end)
    pl.detect_anomaly(false)
    assert.truthy(err.where:find("tests/trainer/deterministic_spec.lua:%d+$"))
  end)

  it("costs nothing and says nothing when it is off", function()
    local x = nn.Parameter(pl.tensor{ 0, 1 })
    x:sqrt():sum():backward()
    assert.are.equal(math.huge, x.grad:totable()[1])
  end)
end)
