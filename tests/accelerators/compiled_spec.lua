-- OpenCL and PJRT under the Trainer, where this machine has a driver or a plug-in: they train as
-- the CPU does, and what is missing is told. Each run is a process, for plug-ins stay loaded.

local process = require "tests.host.process"

local script = [[
local pl = require "perilune"
local nn, optim, data = pl.nn, pl.optim, pl.data
pl.manual_seed(3)
local x, y = pl.randn(64, 8), pl.randint(1, 4, { 64 })
local model = nn.Sequential{ nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4) }
local compiled = {}
local trainer = pl.Trainer{
  model = model, loss_func = nn.CrossEntropyLoss(), accelerator = arg[1], seed = 3, quiet = true,
  optimizer = optim.SGD(model:parameters(), { lr = 0.1, momentum = 0.9 }),
  callbacks = { { on_train_epoch_end = function()
    if arg[1] == "pjrt" then compiled[#compiled + 1] = pl.engine.get("pjrt", "compiled") end
  end } },
}
trainer:train{ train_dataset = data.TensorDataset(x, y), num_epochs = 4,
  per_device_batch_size = 16 }
for _, value in ipairs(trainer.run_history:get_metric_values("train_loss_epoch")) do
  print(("%.4f"):format(value))
end
assert(compiled[3] == compiled[4], "a later epoch compiled more programs")
]]

local function train(accelerator, environment)
  local folder = process.folder()
  local path = process.write(folder .. "/run.lua", script)
  local result = process.run(("env %s %s %s %s"):format(environment or "",
    process.quote(process.perilune), process.quote(path), accelerator))
  process.remove(folder)
  return result
end

describe("A device that compiles", function()
  for _, name in ipairs{ "opencl", "pjrt" } do
    it(name .. " trains as the CPU does", function()
      local there = train(name)
      local missing = there.err:find("accelerator = '" .. name .. "'", 1, true)
      if missing then return pending(there.err) end
      assert.are.equal(0, there.code, there.err)
      assert.are.equal(train("cpu").out, there.out)
    end)
  end

  it("pjrt without a plug-in says how to name one", function()
    local result = train("pjrt", "-u PERILUNE_PJRT_PLUGIN TPU_LIBRARY_PATH=/nowhere/libtpu.so")
    assert.are.equal(1, result.code)
    assert.truthy(result.err:find("PERILUNE_PJRT_PLUGIN names one's file", 1, true), result.err)
  end)

  it("a file that is no plug-in is refused", function()
    local result = train("pjrt", "PERILUNE_PJRT_PLUGIN=" .. process.build .. "/libperilune.so")
    assert.are.equal(1, result.code)
    assert.truthy(result.err:find("is no PJRT plug-in", 1, true), result.err)
  end)

  it("pjrt tells of a failed computation at every read of what it should have made", function()
    if not os.getenv "PERILUNE_PJRT_PLUGIN" then return pending "no PJRT plug-in here" end
    if process.sanitized then return pending "a sanitizer ends who asks for 4 TiB" end
    local result = process.perilune_run({ "-" }, [[
      local pl = require "perilune"
      local x = pl.ones(2 ^ 20, 1, { device = "pjrt" })
      local sum = (x + x:t()):sum()             -- 4 TiB, if the plug-in makes what is added up
      local function refused(kind, said)
        local ok, err = pcall(sum.item, sum)
        assert(not ok and err.kind == kind and err.message:find(said, 1, true), tostring(err))
      end
      refused("out_of_memory", "pjrt:0: ")
      refused("device", "lost when their computation failed")
      refused("device", "lost when their computation failed")
      assert((pl.ones(3, { device = "pjrt" }) * 2):sum():item() == 6)
    ]])
    assert.are.equal(0, result.code, result.err)
  end)

  it("a TPU is none where the plug-in drives something else", function()
    if not os.getenv "PERILUNE_PJRT_PLUGIN" then return pending "no PJRT plug-in here" end
    local result = train("tpu")
    assert.are.equal(1, result.code)
    assert.truthy(result.err:find("drives no TPU (PJRT: cpu)", 1, true), result.err)
  end)
end)
