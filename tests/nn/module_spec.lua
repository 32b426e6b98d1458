local pl = require "perilune"
local nn = pl.nn

local function message(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "expected an error")
  return e.message, e
end

local function names_of(iterator)
  local names = {}
  for name in iterator do names[#names + 1] = name end
  return names
end

local function small_model()
  return nn.Sequential { nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2) }
end

local Net = pl.class("Net", nn.Module)
function Net:init()
  self.encoder = nn.Sequential { nn.Linear(4, 3), nn.ReLU() }
  self.head = nn.Linear(3, 2)
  self.scale = nn.Parameter(pl.ones(2))
  self:register_buffer("steps", pl.zeros(1))
  self:register_buffer("scratch", pl.zeros(1), { persistent = false })
end
function Net:forward(x)
  return self.head(self.encoder(x)) * self.scale
end

describe("nn.Module", function()
  it("registers what is assigned, in order, without calling Module.init", function()
    local net = Net()
    assert.are.same({ "scale", "encoder.1.weight", "encoder.1.bias", "head.weight", "head.bias" },
      names_of(net:named_parameters()))
    assert.are.same({ "", "encoder", "encoder.1", "encoder.2", "head" },
      names_of(net:named_modules()))
    assert.are.same({ "encoder", "head" }, names_of(net:named_children()))
    assert.are.same({ "steps", "scratch" }, names_of(net:named_buffers()))
    assert.are.equal(5, #net:parameters())
    assert.are.equal(2, #net:children())
    assert.are.same({ 5, 2 }, net(pl.rand(5, 4)).shape)
  end)

  it("replaces in place and removes with nil", function()
    local net = Net()
    local new_head = nn.Linear(3, 7)
    net.head = new_head
    assert.are.same({ "encoder", "head" }, names_of(net:named_children()))
    assert.are.equal(new_head.weight, net:parameters()[4])
    net.encoder = nil
    assert.are.same({ "head" }, names_of(net:named_children()))
    assert.is_nil(net.encoder)
  end)

  it("registers a module assigned over a plain field", function()
    local net = Net()
    net.extra = false
    net.extra = nn.Linear(1, 1)
    assert.are.equal(7, #net:parameters())
    assert.are.same({ "encoder", "head", "extra" }, names_of(net:named_children()))
  end)

  it("counts shared parameters and modules once", function()
    local model = small_model()
    local net = nn.Sequential { model, model }
    assert.are.equal(4, #net:parameters())
    local tied = nn.ModuleList { nn.Linear(3, 3), nn.Linear(3, 3) }
    tied[2].weight = tied[1].weight
    assert.are.equal(3, #tied:parameters())
    assert.are.equal(4, #tied:state_dict())
  end)

  it("refuses to lose a parameter to another value", function()
    local layer = nn.Linear(2, 2)
    assert.truthy(message(function() layer.weight = pl.zeros(2, 2) end)
      :find("nn.Parameter(tensor)", 1, true))
    assert.truthy(message(function() layer.weight = 3 end):find("is a parameter", 1, true))
  end)

  it("lets a tensor replace a buffer, kept beyond its scope", function()
    local net = Net()
    pl.scope(function() net.steps = pl.full({ 1 }, 7) end)
    assert.are.equal(7, net.steps:item())
    assert.are.same({ "steps", "scratch" }, names_of(net:named_buffers()))
  end)

  it("keeps plain tensors as plain fields", function()
    local net = Net()
    for i = 1, 3 do net.hidden = pl.full({ 2 }, i) end
    assert.are.equal(3, net.hidden[1]:item())
    assert.are.equal(2, #net:buffers())
  end)

  it("finds things by path", function()
    local net = Net()
    assert.are.equal(net.encoder[1].weight, net:get "encoder.1.weight")
    assert.are.equal(net.head, net:get "head")
    assert.are.equal(net, net:get "")
    assert.are.equal("get: Linear has no 'wieght' on the way to 'head.wieght'"
      .. " (did you mean 'weight'?)", message(net.get, net, "head.wieght"))
  end)

  it("applies children first and switches modes", function()
    local net, order = Net(), {}
    net:apply(function(m) order[#order + 1] = m end)
    assert.are.equal(net, order[#order])
    assert.are.equal(5, #order)
    assert.is_true(net.training)
    net:eval()
    assert.is_false(net.encoder[2].training)
    net:train()
    assert.is_true(net.head.training)
  end)

  it("drops gradients and switches them off", function()
    local net = Net()
    net(pl.rand(5, 4)):sum():backward()
    assert.truthy(net.head.weight.grad)
    net:zero_grad { set_to_none = false }
    assert.are.equal(0, net.head.weight.grad:abs():sum():item())
    net:zero_grad()
    assert.is_nil(net.head.weight.grad)
    net.encoder:requires_grad_(false)
    net(pl.rand(5, 4)):sum():backward()
    assert.is_nil(net.encoder[1].weight.grad)
    assert.truthy(net.head.weight.grad)
  end)

  it("keeps what it recorded and collected while gradients are switched off", function()
    local layer = nn.Linear(2, 1, { bias = false })
    local x = pl.ones(1, 2):requires_grad_(true)
    local before = layer(x):sum()
    layer:requires_grad_(false)
    local meanwhile = layer(x):sum() * 10
    layer:requires_grad_(true)
    before:add(meanwhile):backward()
    assert.are.same({ { 1, 1 } }, layer.weight.grad:totable())
    assert.are.same((layer.weight * 11):totable(), x.grad:totable())
    layer:requires_grad_(false)
    assert.are.same({ { 1, 1 } }, layer.weight.grad:totable())
    layer:zero_grad()
    layer:requires_grad_(true)
    assert.is_nil(layer.weight.grad)
  end)

  it("prints as PyTorch does, counting from 1", function()
    local net = Net()
    assert.are.equal([[
Net(
  (encoder): Sequential(
    (1): Linear(in_features=4, out_features=3, bias=true)
    (2): ReLU()
  )
  (head): Linear(in_features=3, out_features=2, bias=true)
)]], tostring(net))
    assert.are.equal("Flatten(start_dim=2, end_dim=-1)", tostring(nn.Flatten()))
  end)

  it("names the layer and both shapes when something does not fit", function()
    local text = message(small_model(), pl.rand(5, 7))
    assert.are.equal("Linear '1' of Sequential (4 -> 3): ", text:match("^.-%): "))
    assert.truthy(text:find("5x7", 1, true))
    assert.truthy(text:find("3x4", 1, true))
    assert.truthy(message(nn.Linear(4, 3), pl.rand(5, 7)):find("^Linear %(4 %-> 3%): linear: "))
    local net = Net()
    net.encoder[1] = nn.Linear(4, 9)
    assert.truthy(message(net, pl.rand(5, 4)):find("^Linear 'head' of Net %(3 %-> 2%): "))
  end)

  it("forgets a failed call", function()
    local model = small_model()
    pcall(model, pl.rand(5, 7))
    assert.are.same({ 5, 2 }, model(pl.rand(5, 4)).shape)
    assert.truthy(message(nn.Linear(4, 3), pl.rand(5, 7)):find("^Linear %(4 %-> 3%)"))
  end)

  it("passes several arguments and results through", function()
    local Two = pl.class("Two", nn.Module)
    function Two:forward(a, b) return b, a, nil end
    assert.are.equal(3, select("#", Two()(1, 2)))
    assert.are.equal(2, (Two()(1, 2)))
    assert.truthy(message(pl.class("Lazy", nn.Module)(), 1):find("define Lazy:forward", 1, true))
  end)

  it("clones with storage of its own and keeps sharing inside", function()
    local net = Net()
    net.tied = net.head
    net.notes = { 1, { net.head } }
    local copy = net:clone()
    assert.are.equal("Net", pl.class.name_of(copy))
    assert.are.equal(copy.head, copy.tied)
    assert.are.equal(copy.head, copy.notes[2][1])
    assert.are_not.equal(net.head.weight, copy.head.weight)
    local x = pl.rand(5, 4)
    assert.are.same(net(x):totable(), copy(x):totable())
    pl.no_grad(function() net.head.bias:fill_(100) end)
    assert.are_not.same(net(x):totable(), copy(x):totable())
    assert.is_true(copy.head.weight.requires_grad)
    assert.are.equal(#net:parameters(), #copy:parameters())
  end)

  it("casts in place, keeping the parameters the same tensors", function()
    local net = Net()
    local weight, list = net.head.weight, net:parameters()
    net(pl.rand(5, 4)):sum():backward()
    net:to "f64"
    assert.are.equal(weight, net.head.weight)
    assert.are.equal("f64", weight.dtype)
    assert.are.equal("f64", weight.grad.dtype)
    assert.are.equal("f64", net.steps.dtype)
    assert.is_true(weight.requires_grad)
    assert.are.same(list, net:parameters())
    assert.are.equal("f64", net(pl.rand({ 5, 4 }, { dtype = "f64" })).dtype)
    assert.are.equal("f32", net:float().head.weight.dtype)
    assert.truthy(message(net.to, net, "i64"):find("must be a floating one", 1, true))
  end)
end)

describe("state_dict", function()
  it("lists names in order and makes the round trip", function()
    local a, b = Net(), Net()
    local sd = a:state_dict()
    local names = {}
    for i, name in ipairs(sd) do names[i] = name end
    assert.are.same({ "scale", "steps", "encoder.1.weight", "encoder.1.bias", "head.weight",
      "head.bias" }, names)
    local missing, unexpected = b:load_state_dict(sd)
    assert.are.same({ {}, {} }, { missing, unexpected })
    local x = pl.rand(5, 4)
    assert.are.same(a(x):totable(), b(x):totable())
    assert.is_false(sd["head.weight"].requires_grad)
  end)

  it("takes any table of tensors by name", function()
    local layer = nn.Linear(2, 1)
    layer:load_state_dict { weight = pl.tensor { { 3, 4 } }, bias = pl.tensor { 5 } }
    assert.are.same({ { 12 } }, layer(pl.ones(1, 2)):totable())
  end)

  it("lists what is missing or left over", function()
    local net = Net()
    local sd = net:state_dict()
    sd["head.bias"] = nil
    sd.tail = pl.zeros(1)
    local text = message(net.load_state_dict, net, sd)
    assert.truthy(text:find("lacks 'head.bias'", 1, true))
    assert.truthy(text:find("has 'tail', unknown", 1, true))
    local missing, unexpected = net:load_state_dict(sd, { strict = false })
    assert.are.same({ { "head.bias" }, { "tail" } }, { missing, unexpected })
  end)

  it("changes nothing when a shape does not fit", function()
    local net = Net()
    local before = net.scale:totable()
    local sd = { scale = pl.full({ 2 }, 9), ["head.weight"] = pl.zeros(5, 3) }
    local text, e = message(net.load_state_dict, net, sd, { strict = false })
    assert.are.equal("Net: 'head.weight' is 2x3 here but 5x3 in the state", text)
    assert.are.equal("shape", e.kind)
    assert.are.same(before, net.scale:totable())
  end)
end)
