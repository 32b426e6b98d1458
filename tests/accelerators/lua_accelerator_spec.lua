-- Accelerators written in Lua alone: what a kernel is given, what happens without one, what becomes
-- of one that fails, and the quick start on accelerators/luna.

local pl = require "perilune"
local class, nn, optim, data = pl.class, pl.nn, pl.optim, pl.data
local engine = pl.engine
local process = require "tests.host.process"

local devices_made = 0

-- A new kind of device with these kernels: its name and class.
local function device_with(kernels)
  devices_made = devices_made + 1
  local name = "made" .. devices_made
  local Made = class("Made", pl.LuaAccelerator)
  function Made.name() return name end
  Made.kernels = kernels
  Made:define()
  return name, Made
end

local function refuses(kind, text, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.are.equal(kind, err.kind, tostring(err))
  assert.truthy(tostring(err):find(text, 1, true), tostring(err))
  return err
end

local function add(call)
  local x, other, y = call.inputs[1].data, call.inputs[2].data, call.outputs[1]
  for i = 0, y.count - 1 do y.data[i] = x[i] + other[i] end
end

describe("a kernel in Lua", function()
  it("is given typed operands, broadcast and dense, and named attributes", function()
    local calls = {}
    local function note(call)
      calls[#calls + 1] = call
      return false
    end
    local device = device_with{ add = note, sum = note, cat = note, conv2d = note, clamp = note }
    local x = pl.tensor({ { 1, 2, 3 }, { 4, 5, 6 } }):to(device)
    assert.are.same({ { 2, 3, 4 }, { 5, 6, 7 } }, (x + 1):totable())
    assert.are.same({ { 1, 4 }, { 4, 7 }, { 7, 10 } },
      (x:t() + pl.tensor({ { 0 }, { 2 }, { 4 } }):to(device) + pl.tensor({ 0, 0 }):to(device))
        :totable())
    local call = calls[1]
    assert.are.equal("add", call.op)
    assert.are.equal(device .. ":0", call.device)
    assert.are.same({ 2, 3 }, call.inputs[2].sizes)
    assert.are.equal(6, call.inputs[2].count)
    assert.are.equal("f32", call.inputs[1].dtype)
    assert.are.same({}, call.attributes)
    calls = {}
    assert.are.same({ 6, 15 }, x:sum(2):totable())
    assert.are.same({ axes = { 2 }, keepdim = false }, calls[1].attributes)
    calls = {}
    assert.are.same({ 2, 9 }, { pl.cat({ x, x, x }, -1).shape[1], pl.cat({ x, x, x }, 2).shape[2] })
    assert.are.equal(3, #calls[1].inputs[1])
    assert.are.equal(-1, calls[1].attributes.axis)
    assert.are.equal(2, calls[2].attributes.axis)
  end)

  it("gets a list as a list and leaves an absent operand out", function()
    local seen
    local device = device_with{ linear = function(call) seen = call return false end }
    local x, weight = pl.randn(3, 4), pl.randn(2, 4)
    local want = nn.functional.linear(x, weight)
    local got = nn.functional.linear(x:to(device), weight:to(device))
    assert.is_nil(seen.inputs[3])
    assert.are.equal("none", seen.attributes.activation)
    assert.are.same(want:totable(), got:totable())
  end)

  it("works in place, through views and in gradients", function()
    local n = 0
    local device = device_with{ add = function(call) n = n + 1 return add(call) end }
    local x = pl.tensor({ { 1, 2 }, { 3, 4 } }):to(device)
    x:add_(1)
    x:t()[1]:add_(x:t()[1])
    assert.are.same({ { 4, 3 }, { 8, 5 } }, x:totable())
    x:requires_grad_()
    local before = n
    local y = (x + x) * (x + 2)
    y:sum():backward()
    assert.are.same({ { 20, 16 }, { 36, 24 } }, x.grad:totable())
    assert.is_true(n - before >= 4)
  end)

  it("that returns false leaves the op to the CPU, to its composite too", function()
    local asked = {}
    local function refuse(call)
      asked[#asked + 1] = call.op
      return false
    end
    local device = device_with{ add = refuse, l1_loss = refuse, rand = refuse, where = refuse }
    local x, y = pl.tensor{ 1, 2, 3 }, pl.tensor{ 3, 2, 4 }
    local loss = pl.ops.functions.l1_loss
    assert.are.equal(loss(x, y):item(),
      pl.no_grad(loss, x:to(device), y:to(device)):item())    -- recorded, it is its composite
    assert.are.same({ 4, 4, 7 }, (x:to(device) + y:to(device)):totable())
    assert.are.same({ "l1_loss", "add" }, asked)
  end)

  it("that is missing is made of others, or is the CPU's", function()
    local device = device_with{}
    local x = pl.randn(4, 6)
    for _, name in ipairs{ "softmax", "square", "exp", "logsumexp", "sigmoid" } do
      assert.are.same(x[name](x):totable(), x[name](x:to(device)):totable(), name)
    end
  end)

  it("serves gradients written in Lua, which may read what they are given", function()
    local device = device_with{ add = add, mul = function() return false end }
    local Twice = class("Twice", pl.Function)
    local seen
    function Twice.forward(_, ctx, x) ctx:save(x) return x + x end
    function Twice.backward(_, ctx, grad)
      seen = { grad:totable(), ctx:saved():totable() }
      return grad + grad
    end
    local x = pl.tensor({ 1, 2 }):to(device):requires_grad_()
    local y = Twice()(x + 1) * 3
    y:sum():backward()
    assert.are.same({ { 3, 3 }, { 2, 3 } }, seen)
    assert.are.same({ 6, 6 }, x.grad:totable())
  end)

  it("is looked at by detect_anomaly", function()
    local device = device_with{ add = function(call)
      call.outputs[1].data[0] = 0 / 0
    end }
    local x = pl.tensor({ 1 }):to(device)
    finally(function() pl.detect_anomaly(false) end)
    assert.is_true((x + x):item() ~= (x + x):item())
    pl.detect_anomaly(true)
    refuses("user", "add: the result", function() return x + x end)
    refuses("user", "log: the result", function() return (x - 2):log() end)
    assert.are.same({ 3 }, (x * 3):totable())
  end)
end)

describe("a kernel in Lua that fails", function()
  local broken = function() error "the moon is full" end

  it("is named with device, place and reason, at the user's line", function()
    local device = device_with{ neg = broken }
    local x = pl.tensor({ 1, 2 }):to(device)
    local err = refuses("device", "neg: the kernel of " .. device .. ":0 failed: ",
      function() return -x end)
    assert.are.equal("neg", err.op)
    assert.truthy(err.message:find("lua_accelerator_spec.lua:%d+: the moon is full"), err.message)
    assert.truthy(err.where:find("lua_accelerator_spec.lua:%d+$"), err.where)
  end)

  it("fails every later call on its device, until it is set up again", function()
    local device, Made = device_with{ neg = broken }
    local other = device_with{ neg = function() return false end }
    local x = pl.tensor({ 1, 2 }):to(device)
    refuses("device", "moon", function() return -x end)
    local err = refuses("device", "until it is set up again", function() return x + 1 end)
    assert.are.equal("neg", err.op)
    refuses("device", "moon", x.totable, x)
    refuses("device", "moon", x.add_, x, 1)
    assert.are.same({ -1, -2 }, (-pl.tensor({ 1, 2 }):to(other)):totable())
    Made.kernels.neg = function() return false end
    Made():setup_device(device)
    assert.are.same({ -1, -2 }, (-x):totable())
  end)

  it("in a backward pass is the error of backward, and nothing leaks", function()
    local device, Made = device_with{ relu_backward = broken, add = add }
    local x = pl.tensor({ 1, -2 }):to(device):requires_grad_()
    x:add(1)
    collectgarbage()
    local before = engine.memory(device).in_use
    for _ = 1, 3 do
      refuses("device", "relu_backward: the kernel", pl.scope, function()
        (x + 1):relu():sum():backward()
      end)
      Made:define()
      x.grad = nil
      collectgarbage()
      assert.are.equal(before, engine.memory(device).in_use)
    end
    assert.are.same({ 2, -1 }, (x + 1):totable())
  end)

  it("ends a run that resumes from its last state on the same device", function()
    local folder, calls, fails_at, heard = process.folder(), 0, 9, {}
    local _, Made = device_with{ relu_backward = function()
      calls = calls + 1
      if calls == fails_at then broken() end
      return false
    end }
    local x, y = pl.randn(32, 4), pl.randint(1, 3, { 32 })
    local function train(accelerator, name, resume_from)
      pl.manual_seed(4)
      local model = nn.Sequential{ nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3) }
      local trainer = pl.Trainer{ model = model, loss_func = nn.CrossEntropyLoss(), quiet = true,
        accelerator = accelerator, seed = 4, root_dir = folder .. "/" .. name,
        optimizer = optim.SGD(model:parameters(), { lr = 0.1, momentum = 0.9 }), callbacks = {
          pl.callbacks.SaveTrainingStateCallback{ every = { updates = 1 } },
          { on_exception = function(_, _, err) heard[#heard + 1] = err.kind .. " " .. err.op end,
            on_teardown = function() heard[#heard + 1] = "teardown" end },
        } }
      return trainer:train{ train_dataset = data.TensorDataset(x, y), num_epochs = 3,
        per_device_batch_size = 8, resume_from = resume_from }
          :get_metric_values "train_loss_epoch"
    end
    refuses("device", "the moon is full", train, Made, "a")
    assert.are.same({ "device relu_backward", "teardown" }, heard)
    local want, got = train("cpu", "b"), train(Made, "a", "last")
    process.remove(folder)
    for i = 1, 3 do assert.is_true(math.abs(want[i] - got[i]) < 1e-5, want[i] .. " " .. got[i]) end
  end)

  it("may not use tensors of its device", function()
    local x
    local device = device_with{ add = function() return x * 2 end }
    x = pl.tensor({ 1 }):to(device)
    refuses("device", "a kernel in Lua may not use " .. device, function() return x + x end)
  end)

  it("may use tensors of the CPU while others wait", function()
    local device = device_with{
      relu_backward = function() return pl.ones(3):sum():item() ~= 3 end,
      add = function(call) (pl.ones(2) + 1):sum():item() return add(call) end,
    }
    local x = pl.tensor({ 1, -2 }):to(device):requires_grad_()
    local y = (x + 1):relu() + (x + 1)
    y:sum():backward()
    assert.are.same({ 2, 1 }, x.grad:totable())
  end)
end)

describe("a table of kernels", function()
  local function refused(kernels, text)
    refuses("argument", text, device_with, kernels)
  end

  it("that names no op is refused with what was meant", function()
    refused({ matmull = add }, "kernels.matmull is the kernel of no op (did you mean 'matmul'?)")
  end)

  it("holds functions, for ops that have kernels", function()
    refused({ add = 3 }, "kernels.add must be a function, got number")
    refused({ reshape = add }, "kernels.reshape is never asked")
    refused({ copy = add }, "kernels.copy is never asked")
    refused(3, "kernels must be a table of functions by op, got number")
  end)

  it("does not take the name of a library, or one that is none", function()
    local Made = class("Made", pl.LuaAccelerator)
    function Made.name() return "cpu" end
    refuses("argument", "libperilune_cpu.so", Made.define, Made)
    function Made.name() return "a b" end
    refuses("argument", "'a b' is no accelerator's name", Made.define, Made)
    function Made.name() return "made0" end
    Made.device_count = 0
    refuses("argument", "made0: 0 devices", Made.define, Made)
  end)
end)

describe("luna", function()
  it("is found, and never chosen by auto", function()
    local names = pl.accelerators:available_accelerators()
    assert.truthy(table.concat(names, " "):find("luna", 1, true))
    assert.are.equal("cpu", pl.Trainer{ model = nn.Linear(1, 1), accelerator = "auto" }.device)
    local trainer = pl.Trainer{ model = nn.Linear(1, 1), accelerator = "luna", devices = "1," }
    assert.are.equal("luna:1", trainer.device)
  end)

  -- The losses of the README's run, with fewer images.
  local function quick_start(accelerator, images)
    pl.manual_seed(7)
    local model = nn.Sequential{
      nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(),
      nn.Linear(64, 10),
    }
    local all = data.FashionMNIST{ split = "train" }
    local train, valid = data.random_split(data.Subset(all, pl.arange(images):totable()),
      { images * 0.8, images * 0.2 })
    local trainer = pl.Trainer{ model = model, loss_func = nn.CrossEntropyLoss(),
      optimizer = optim.SGD(model:parameters(), { lr = 0.01, momentum = 0.9 }), quiet = true,
      accelerator = accelerator, metrics = { "accuracy" } }
    local history = trainer:train{ train_dataset = train, eval_dataset = valid, num_epochs = 2,
      per_device_batch_size = 32 }
    local result = trainer:evaluate{ dataset = valid, per_device_batch_size = 64 }
    return { history:get_metric_values("train_loss_epoch")[1],
      history:get_metric_values("train_loss_epoch")[2],
      history:get_metric_values("eval_loss_epoch")[2], result.evaluation_loss }
  end

  it("trains the quick start as the CPU does", function()
    local images = jit.status() and 500 or 50       -- interpreted, its products take their time
    local want, got = quick_start("cpu", images), quick_start("luna", images)
    assert.are.equal(4, #want)
    for i = 1, 4 do assert.is_true(math.abs(want[i] - got[i]) < 1e-4, want[i] .. " " .. got[i]) end
    assert.is_true(want[2] < want[1])
  end)
end)
