-- What a device and the process use: get_device_stats, the thread behind it, and its callback.
local pl = require "perilune"
local class, nn, optim, data = pl.class, pl.nn, pl.optim, pl.data

local function wait_until(condition)
  local start = pl.engine.clock()
  while pl.engine.clock() - start < 20 do
    if condition() then return true end
  end
  return false
end

local function threads()
  local file = io.open("/proc/self/status")
  local n = tonumber(file:read("*a"):match("\nThreads:%s*(%d+)"))
  file:close()
  return n
end

describe("get_device_stats", function()
  it("has the memory of the device and of the process, with units in the names", function()
    for name, device in pairs{ cpu = "cpu", null = "null:0" } do
      local accelerator = pl.accelerators:get(name)
      local stats = accelerator:get_device_stats(device)
      assert.is_true(stats.memory_used_bytes >= 0)
      assert.is_true(stats.memory_peak_bytes >= stats.memory_used_bytes)
      assert.is_true(stats.process_rss_bytes > 2 ^ 20)
      assert.is_true(stats.process_cpu_percent > 0)
      assert.are.equal(name == "cpu", stats.memory_free_bytes ~= nil)
      assert.is_nil(stats.power)
      accelerator:teardown()
    end
  end)

  it("goes on by itself and tells the load once time has passed", function()
    local accelerator = pl.accelerators:get("cpu")
    accelerator.stats_seconds = 0.005
    collectgarbage()
    collectgarbage()
    local before = accelerator:get_device_stats("cpu").memory_used_bytes
    local big = pl.ones(1024, 1024)
    assert.is_true(wait_until(function()
      return accelerator:get_device_stats("cpu").memory_used_bytes >= before + 2 ^ 22
    end))
    local load
    assert.is_true(wait_until(function()
      load = accelerator:get_device_stats("cpu").utilization_percent
      return load ~= nil
    end))
    assert.is_true(load >= 0 and load <= 100)
    accelerator:teardown()
    assert.are.equal(1, big[{ 1, 1 }]:item())
  end)

  it("has a thread from the first question to teardown, and none before", function()
    local before = threads()
    local accelerator = pl.accelerators:get("cpu")
    accelerator:teardown()
    assert.are.equal(before, threads())
    accelerator:get_device_stats("cpu")
    accelerator:get_device_stats("cpu")
    assert.are.equal(before + 1, threads())
    accelerator:teardown()
    assert.are.equal(before, threads())
    accelerator:teardown()
  end)

  it("of a device that is not there is an error", function()
    local ok, err = pcall(pl.accelerators:get("null").get_device_stats,
      pl.accelerators:get("null"), "null:7")
    assert.is_false(ok)
    assert.are.equal("device", err.kind)
  end)
end)

describe("DeviceStatsMonitor", function()
  local function train(accelerator)
    local model = nn.Linear(3, 1)
    local trainer = pl.Trainer{
      model = model, loss_func = nn.MSELoss(),
      optimizer = optim.SGD(model:parameters(), { lr = 0.1 }),
      callbacks = { pl.callbacks.DeviceStatsMonitor }, quiet = true, accelerator = accelerator,
    }
    return trainer:train{ train_dataset = data.TensorDataset(pl.randn(16, 3), pl.randn(16, 1)),
      num_epochs = 1, per_device_batch_size = 4, log_every = { updates = 2 } }
  end

  it("logs them where log_every says, and ends its thread with the run", function()
    local before = threads()
    local history = train("cpu")
    assert.are.equal(before, threads())
    assert.are.equal(2, #history:get_metric_values("cpu/memory_used_bytes"))
    assert.is_true(history:get_latest_metric("cpu/process_rss_bytes") > 2 ^ 20)
  end)

  it("logs what an accelerator of one's own tells", function()
    local Warm = class("Warm", pl.accelerators:class_of("cpu"))
    function Warm:get_device_stats(device) return { temperature_celsius = #device } end
    local history = train(Warm)
    assert.are.same({ 3, 3 }, history:get_metric_values("cpu/temperature_celsius"))
    assert.is_false(pcall(history.get_metric_values, history, "cpu/memory_used_bytes")
      and #history:get_metric_values("cpu/memory_used_bytes") > 0)
  end)
end)
