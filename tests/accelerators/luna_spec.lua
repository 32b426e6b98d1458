-- accelerators/luna, written in Lua alone, held to what contract_test.c asks of libraries.

local pl = require "perilune"
local nn, optim = pl.nn, pl.optim
local engine = pl.engine

local function error_of(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err
end

local function refuses(kind, text, f, ...)
  local err = error_of(f, ...)
  assert.are.equal(kind, err.kind, tostring(err))
  assert.truthy(tostring(err):find(text, 1, true), tostring(err))
  return err
end

local function on(device, values, dtype)
  return pl.tensor(values, { dtype = dtype }):to(device)
end

describe("luna, by the contract of accelerators:", function()
  local dtypes = { "bool", "u8", "i32", "i64", "f16", "bf16", "f32", "f64" }

  it("bytes come back", function()
    for _, dtype in ipairs(dtypes) do
      for _, n in ipairs{ 1, 3, 64, 1000 } do
        local sent = pl.arange(n):lt(n / 2):to(dtype)
        local there = sent:to "luna"
        assert.are.equal("luna:0", there.device)
        assert.are.same(sent:totable(), there:totable())
        assert.are.equal(sent[n]:item(), there[n]:item())
      end
      assert.are.same({}, pl.zeros({ 0 }, { dtype = dtype }):to("luna"):totable())
    end
  end)

  it("later writes win, also over what was computed", function()
    local x = on("luna", { 1, 2, 3 })
    x:add_(1)
    x:copy_(pl.tensor{ 7, 8, 9 })
    x:mul_(2)
    x[2] = 0
    assert.are.same({ 14, 0, 18 }, x:totable())
  end)

  it("views are read, and written through", function()
    local x = on("luna", { { 1, 2, 3 }, { 4, 5, 6 } })
    assert.are.same({ { 1, 4 }, { 2, 5 }, { 3, 6 } }, x:t():totable())
    assert.are.same({ { 2, 5 }, { 4, 7 }, { 6, 9 } }, (x:t() + on("luna", { 1, 1 })
      + x:t():mul(0) + on("luna", { { 0 }, { 1 }, { 2 } })):totable())
    x:t()[1]:add_(10)
    x[{ {}, 3 }] = 0
    x[{ 1, { 2, 3 } }]:mul_(on("luna", { 3, 3 }))
    assert.are.same({ { 11, 6, 0 }, { 14, 5, 0 } }, x:totable())
  end)

  it("tensors of two devices do not mix, and the error says which is where", function()
    local x, y = on("luna", { 1, 2 }), pl.tensor{ 1, 2 }
    local err = refuses("device", "luna", function() return x + y end)
    assert.truthy(err.message:find("cpu", 1, true))
    refuses("device", "luna:1", function() return x + on("luna:1", { 1, 2 }) end)
    assert.are.same({ 2, 4 }, (x + x):totable())
  end)

  it("tensors travel between any two devices", function()
    local x = pl.randn(4, 5)
    local there = x:to "luna"
    assert.are.same(x:totable(), there:t():to("luna:1"):t():to("cpu"):totable())
  end)

  it("properties that nobody has are errors", function()
    refuses("argument", "luna", engine.get, "luna", "no_such_property")
    refuses("argument", "luna", engine.set, "luna", "no_such_property", 1)
    refuses("device", "counted from 0", engine.open, "luna:2")
  end)

  it("random numbers are the CPU's", function()
    local function draw(device)
      pl.manual_seed(5)
      pl.set_default_device(device)
      local ok, a, b = pcall(function()
        return pl.randn(7), nn.functional.dropout(pl.ones(50), { p = 0.5 })
      end)
      pl.set_default_device "cpu"
      if not ok then error(a, 0) end
      return { a:totable(), b:totable() }
    end
    assert.are.same(draw "cpu", draw "luna")
  end)

  -- The weights of a small classifier after some steps, as one flat list.
  local function net_of(device)
    pl.manual_seed(3)
    local model = nn.Sequential{ nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4) }
    local x, y = pl.randn(12, 8):to(device), pl.randint(1, 4, { 12 }):to(device)
    model:to(device)
    return { model = model, x = x, y = y, loss = nn.CrossEntropyLoss(),
      optimizer = optim.SGD(model:parameters(), { lr = 0.1, momentum = 0.9, weight_decay = 0.01 }) }
  end

  local function step(net)
    return pl.scope(function()
      net.optimizer:zero_grad()
      local loss = net.loss(net.model(net.x), net.y)
      loss:backward()
      net.optimizer:step()
      return loss:item()
    end)
  end

  local function weights_of(net)
    local all = {}
    for _, p in ipairs(net.model:parameters()) do
      local flat = p:detach():flatten():totable()
      for _, v in ipairs(flat) do all[#all + 1] = v end
    end
    return all
  end

  local function assert_near(want, got)
    assert.are.equal(#want, #got)
    for i = 1, #want do assert.is_true(math.abs(want[i] - got[i]) < 1e-5, want[i] .. got[i]) end
  end

  it("steps of training give the CPU's numbers, on two devices side by side", function()
    local nets = { net_of "cpu", net_of "luna:0", net_of "luna:1" }
    for _ = 1, 4 do
      local want = step(nets[1])
      assert_near({ want, want }, { step(nets[2]), step(nets[3]) })
    end
    assert_near(weights_of(nets[1]), weights_of(nets[2]))
    assert_near(weights_of(nets[1]), weights_of(nets[3]))
  end)

  it("an allocation that fails is an error, and leaks nothing", function()
    local net, failures = net_of "luna", 0
    local function used()
      net.optimizer:zero_grad()
      collectgarbage()
      return engine.memory("luna").in_use
    end
    step(net)
    local before = used()
    finally(function() engine.set_memory_limit(nil, "luna") end)
    repeat
      engine.C.pl_device_trim(engine.open "luna")
      engine.set_memory_limit(before + 64 * failures + 1, "luna")
      local ok, err = pcall(step, net)
      assert.is_true(ok or err.kind == "out_of_memory", tostring(err))
      assert.are.equal(0, engine.context.queued)      -- what was launched before it failed has run
      assert.are.equal(before, used())
      failures = failures + (ok and 0 or 1)
    until ok
    assert.is_true(failures > 3)
  end)
end)
