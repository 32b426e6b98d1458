-- The pretend device of accelerators/xpu under the Trainer: it trains as the CPU does, and when it
-- is lost in the middle of a step nothing else is. Built by a test of its own; without it these
-- are skipped.

local pl = require "perilune"
local process = require "tests.host.process"

local is_here = pcall(pl.engine.device_count, "xpu")

-- A small classifier; the script's arguments are the accelerator and the folder of its states.
local script = [[
local pl = require "perilune"
local nn, optim, data = pl.nn, pl.optim, pl.data
pl.manual_seed(3)
local x, y = pl.randn(64, 8), pl.randint(1, 4, { 64 })
local model = nn.Sequential{ nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4) }
local trainer = pl.Trainer{
  model = model, loss_func = nn.CrossEntropyLoss(), accelerator = arg[1], seed = 3,
  root_dir = arg[2], quiet = true,
  optimizer = optim.SGD(model:parameters(), { lr = 0.1, momentum = 0.9 }),
  callbacks = {
    pl.callbacks.SaveTrainingStateCallback{ every = { updates = 1 } },
    {
      on_optimizer_step_end = function(_, t)
        if t.update == tonumber(arg[3] or 0) then pl.engine.set("xpu", "fail_launch", 5) end
      end,
      on_exception = function(_, _, err) print("exception", err.kind, err.op, err.message) end,
      on_teardown = function() print "teardown" end,
    },
  },
}
trainer:train{ train_dataset = data.TensorDataset(x, y), num_epochs = 3,
  per_device_batch_size = 16, resume_from = arg[4] }
for _, value in ipairs(trainer.run_history:get_metric_values("train_loss_epoch")) do
  print(("%.5f"):format(value))
end
]]

local function run(folder, ...)
  local path = process.write(folder .. "/run.lua", script)
  local words = { process.quote(process.perilune), process.quote(path) }
  for _, word in ipairs{ ... } do words[#words + 1] = process.quote(word) end
  return process.run(table.concat(words, " "))
end

local function with_folder(f)
  local folder = process.folder()
  local ok, err = pcall(f, folder)
  process.remove(folder)
  if not ok then error(err, 0) end
end

local function on_xpu(name, f)
  it(name, function()
    if not is_here then return pending "accelerators/xpu is not built" end
    with_folder(f)
  end)
end

describe("xpu", function()
  on_xpu("trains as the CPU does", function(folder)
    local here = run(folder, "xpu", folder .. "/a")
    local there = run(folder, "cpu", folder .. "/b")
    assert.are.equal(0, here.code, here.err)
    assert.are.equal(there.out, here.out)
  end)

  on_xpu("lost in a step: op and device are named, teardown runs, the last state is whole",
    function(folder)
      local lost = run(folder, "xpu", folder .. "/a", "5")
      assert.are.equal(1, lost.code)
      assert.truthy(lost.out:find("exception\tdevice\t", 1, true), lost.out)
      assert.truthy(lost.out:find("xpu:0: the device was lost while it computed", 1, true))
      assert.truthy(lost.out:find("teardown", 1, true))
      local on = run(folder, "cpu", folder .. "/a", "0", "last")
      assert.are.equal(0, on.code, on.err)
      assert.are.equal(run(folder, "cpu", folder .. "/b").out, on.out)
    end)

  on_xpu("two of them are two: their tensors do not mix", function()
    local a = pl.ones(2, { device = "xpu:0" })
    local b = pl.ones(2, { device = "xpu:1" })
    assert.are.same({ 2, 2 }, (a + a):totable())
    assert.are.same({ 1, 1 }, (b * b):totable())
    local ok, err = pcall(function() return a + b end)
    assert.is_false(ok)
    assert.truthy(err.message:find("x is on xpu:0, other is on xpu:1", 1, true), err.message)
    assert.are.same({ 2, 2 }, (a + b:to("xpu:0")):totable())
  end)

  on_xpu("two at once need a strategy for several", function()
    local ok, err = pcall(pl.Trainer, { model = pl.nn.Linear(1, 1), accelerator = "xpu",
      devices = 2 })
    assert.is_false(ok)
    assert.truthy(err.message:find("strategy", 1, true), err.message)
  end)

  on_xpu("has the CPU compute what it lacks, which is said once", function(folder)
    local path = process.write(folder .. "/many.lua", [[
local pl = require "perilune"
local x = pl.ones(1, { device = "xpu" })
for _ = 1, 600 do x:exp() end]])
    local result = process.run(process.quote(process.perilune) .. " " .. process.quote(path))
    assert.are.equal("perilune: xpu:0 has no kernel for exp: the CPU computes it\n", result.err)
  end)

  on_xpu("that is full says so", function()
    local memory = pl.engine.get("xpu:1", "memory")
    pl.engine.set("xpu:1", "memory", 1024)
    local ok, err = pcall(pl.ones, 1000, 1000, { device = "xpu:1" })
    pl.engine.set("xpu:1", "memory", memory)
    assert.is_false(ok)
    assert.are.equal("out_of_memory", err.kind)
    assert.truthy(err.message:find("xpu:1: out of memory", 1, true), err.message)
  end)

  on_xpu("is never chosen by auto", function()
    assert.are.equal("cpu", pl.Trainer{ model = pl.nn.Linear(1, 1), accelerator = "auto" }.device)
  end)
end)
