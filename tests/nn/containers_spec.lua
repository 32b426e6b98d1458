local pl = require "perilune"
local nn = pl.nn

local function message(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "expected an error")
  return e.message
end

local function names_of(module)
  local names = {}
  for name in module:named_children() do names[#names + 1] = name end
  return names
end

describe("nn.Sequential", function()
  it("takes a list, arguments or named pairs", function()
    assert.are.same({ "1", "2" }, names_of(nn.Sequential { nn.ReLU(), nn.Tanh() }))
    assert.are.same({ "1", "2" }, names_of(nn.Sequential(nn.ReLU(), nn.Tanh())))
    local named = nn.Sequential { { "fc", nn.Linear(2, 2) }, { "act", nn.ReLU() } }
    assert.are.same({ "fc", "act" }, names_of(named))
    assert.are.equal(named.fc, named[1])
    assert.are.equal("fc.weight", named:state_dict()[1])
    assert.are.equal(0, nn.Sequential():size())
  end)

  it("refuses what has no order or is no module", function()
    assert.are.equal("Sequential: a keyed table has no order ('conv'); write"
      .. " nn.Sequential{ { \"conv\", module }, ... }",
      message(nn.Sequential, { conv = nn.ReLU() }))
    assert.truthy(message(nn.Sequential, { nn.ReLU }):find("call it to make an instance", 1, true))
    assert.truthy(message(nn.Sequential, { nn.ReLU(), 3 }):find("item 2 must be a module", 1, true))
    assert.truthy(message(nn.Sequential, { nn.ReLU(), [3] = nn.ReLU() }):find("hole", 1, true))
    assert.truthy(message(nn.Sequential, { { "a", nn.ReLU() }, { "a", nn.ReLU() } })
      :find("given twice", 1, true))
  end)

  it("appends, inserts, removes and replaces by position", function()
    local model = nn.Sequential { nn.Linear(2, 2), nn.Tanh() }
    model:append(nn.ReLU()):insert(2, nn.Sigmoid())
    assert.are.equal("Linear Sigmoid Tanh ReLU", (function()
      local parts = {}
      for i, m in model:iterate() do parts[i] = pl.class.name_of(m) end
      return table.concat(parts, " ")
    end)())
    assert.are.same({ "1", "2", "3", "4" }, names_of(model))
    assert.are.equal("Sigmoid", pl.class.name_of(model:remove(2)))
    assert.are.same({ "1", "2", "3" }, names_of(model))
    model[2] = nil
    model[3] = nn.Identity()
    assert.are.same({ "1", "2", "3" }, names_of(model))
    assert.is_nil(model[4])
    assert.truthy(message(function() model[9] = nn.ReLU() end):find("between 1 and 4", 1, true))
  end)

  it("computes the same with and without fusion", function()
    local first, last = nn.Linear(6, 5), nn.Linear(5, 3)
    local model = nn.Sequential { first, nn.ReLU(), last }
    local x = pl.randn(4, 6)
    assert.are.same(last(first(x):relu()):totable(), model(x):totable())
    assert.are.equal(3, model:size())
  end)

  it("calls any number of modules in order", function()
    local model = nn.Sequential()
    for _ = 1, 95 do model:append(nn.Identity()) end
    local Step = pl.class("Step", nn.Module)
    function Step:init(factor) self.factor = factor end
    function Step:forward(x) return x * self.factor + 1 end
    model[1], model[41], model[95] = Step(2), Step(3), Step(5)
    assert.are.equal(((2 * 2 + 1) * 3 + 1) * 5 + 1, model(pl.scalar(2)):item())
    local empty = pl.scalar(2)
    assert.are.equal(empty, nn.Sequential()(empty))
  end)

  it("plans again when children change", function()
    local linear = nn.Linear(3, 3)
    local model = nn.Sequential { linear, nn.ReLU() }
    local x = pl.randn(2, 3)
    assert.are.same(linear(x):relu():totable(), model(x):totable())
    model[2] = nn.Tanh()
    assert.are.same(linear(x):tanh():totable(), model(x):totable())
    model[1] = nn.Identity()
    assert.are.same(x:tanh():totable(), model(x):totable())
  end)

  it("fuses with the weights that a layer has now", function()
    local linear = nn.Linear(3, 3)
    local model = nn.Sequential { linear, nn.ReLU() }
    local x = pl.randn(2, 3)
    model(x)
    linear.weight = nn.Parameter(pl.zeros(3, 3))
    linear.bias = nil
    assert.are.same(pl.zeros(2, 3):totable(), model(x):totable())
  end)

  it("does not fuse layers whose forward is the user's", function()
    local Doubled = pl.class("Doubled", nn.Linear)
    function Doubled:forward(x) return nn.Linear.forward(self, x) * 2 end
    local Clipped = pl.class("Clipped", nn.ReLU)
    function Clipped:forward(x) return x:relu():minimum(0.25) end
    local doubled, x = Doubled(3, 3), pl.randn(2, 3)
    assert.are.same(doubled(x):relu():totable(), nn.Sequential { doubled, nn.ReLU() }(x):totable())
    local out = nn.Sequential { nn.Linear(3, 30), Clipped() }(x)
    assert.is_true(out:max():item() <= 0.25)
  end)

  it("names the layer when a fused product does not fit", function()
    local model = nn.Sequential { nn.Flatten(), nn.Linear(784, 128), nn.ReLU() }
    assert.truthy(message(model, pl.rand(2, 100))
      :find("^Linear '2' of Sequential %(784 %-> 128%): "))
  end)

  it("passes gradients through a fused layer", function()
    local linear = nn.Linear(3, 2)
    local x = pl.randn(4, 3)
    linear(x):relu():sum():backward()
    local expected = linear.weight.grad:totable()
    linear:zero_grad()
    nn.Sequential { linear, nn.ReLU() }(x):sum():backward()
    local got = linear.weight.grad:totable()
    for i = 1, 2 do
      for j = 1, 3 do assert.is_true(math.abs(expected[i][j] - got[i][j]) < 1e-5) end
    end
  end)
end)

describe("nn.ModuleList and nn.ModuleDict", function()
  it("hold modules for a model's own forward", function()
    local list = nn.ModuleList { nn.Linear(2, 2), nn.Linear(2, 2) }
    assert.are.equal(4, #list:parameters())
    assert.are.equal(2, list:size())
    local x = pl.ones(1, 2)
    for _, layer in list:iterate() do x = layer(x) end
    assert.are.same({ 1, 2 }, x.shape)
    assert.truthy(message(list, x):find("no forward", 1, true))
  end)

  it("keep the order of a dict", function()
    local dict = nn.ModuleDict { { "right", nn.ReLU() }, { "left", nn.Tanh() } }
    assert.are.same({ "right", "left" }, names_of(dict))
    assert.is_true(dict:has "left")
    assert.is_false(dict:has "middle")
    assert.are.equal(2, dict:size())
    dict:remove "right"
    assert.are.same({ "left" }, names_of(dict))
    assert.truthy(message(nn.ModuleDict, { a = nn.ReLU() }):find("no order", 1, true))
  end)
end)
