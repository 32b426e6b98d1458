local pl = require "perilune"
local nn = pl.nn
local ModelFreezer = pl.finetuning.ModelFreezer

local function message(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "expected an error")
  return e.message
end

--- Stands for a batch norm: what is one goes by the name of its class.
local BatchNorm1d = pl.class("BatchNorm1d", nn.Module)
function BatchNorm1d:init() self.weight = nn.Parameter(pl.ones(3)) end
function BatchNorm1d:forward(x) return x * self.weight end

--- A module with children and a parameter of its own.
local Scaled = pl.class("Scaled", nn.Module)
function Scaled:init()
  self.scale = nn.Parameter(pl.ones(1))
  self.inner = nn.Linear(3, 3)
end
function Scaled:forward(x) return self.inner(x) * self.scale end

local function make_model()
  return nn.Sequential { nn.Linear(3, 3),
    nn.Sequential { nn.Linear(3, 3), BatchNorm1d(), nn.Dropout { p = 0.5 } }, Scaled(),
    nn.Linear(3, 2) }
end

local function frozen(model)
  local flags = {}
  for i, p in ipairs(model:parameters()) do flags[i] = p.requires_grad and 0 or 1 end
  return table.concat(flags)
end

describe("ModelFreezer", function()
  it("unfreezes everything at first and tells groups and layers", function()
    local model = make_model()
    model:requires_grad_(false)
    local freezer = ModelFreezer(model)
    assert.are.equal("0000000000", frozen(model))
    local groups, layers = freezer:get_layer_groups(), freezer:get_layers()
    assert.are.equal(4, #groups)
    assert.are.same({ 2, -3 }, groups[2].layer_group_idx)
    assert.are.equal(7, #layers)
    assert.are.equal("2.3", layers[4].name)
    assert.are.same({ "3", "3.inner" }, { layers[5].name, layers[6].name })
    assert.are.equal(model[3], layers[5].module)
    assert.are.equal(10, #freezer:get_trainable_parameters())
  end)

  it("freezes all groups but the last, and no batch norm", function()
    local model = make_model()
    local freezer = ModelFreezer(model)
    freezer:freeze()
    assert.are.equal("1111011100", frozen(model))
    assert.are.same({ true, true, true, false }, { freezer:get_layer_groups()[1].is_frozen,
      freezer:get_layer_groups()[2].is_frozen, freezer:get_layer_groups()[3].is_frozen,
      freezer:get_layer_groups()[4].is_frozen })
    assert.are.equal(3, #freezer:get_trainable_parameters())
  end)

  it("freezes batch norms when it is told to", function()
    local model = make_model()
    ModelFreezer(model, { freeze_batch_norms = true }):freeze()
    assert.are.equal("1111111100", frozen(model))
  end)

  it("takes a range in either order, from either end", function()
    local model = make_model()
    local freezer = ModelFreezer(model)
    freezer:freeze { from_index = -2, to_index = 2 }
    assert.are.equal("0011011100", frozen(model))
    freezer:freeze { from_index = 1, to_index = 1 }
    assert.are.equal("1111011100", frozen(model))
  end)

  it("gives what it unfroze as groups for an optimizer", function()
    local model = make_model()
    local freezer = ModelFreezer(model)
    freezer:freeze()
    local optimizer = pl.optim.AdamW(freezer:get_trainable_parameters(), { lr = 0.1 })
    local groups, positions = freezer:unfreeze { from_index = -1, to_index = 2 }
    assert.are.same({ 2, 3 }, positions)
    assert.are.equal(2, #groups[1].params)
    assert.are.equal(3, #groups[2].params)
    assert.are.equal("1100000000", frozen(model))
    for _, group in ipairs(groups) do optimizer:add_param_group(group) end
    local before = { model[1].weight:totable(), model[2][1].weight:totable() }
    model(pl.rand(4, 3)):square():sum():backward()
    optimizer:step()
    assert.are.same(before[1], model[1].weight:totable())
    assert.are_not.same(before[2], model[2][1].weight:totable())
    assert.are.same({}, (freezer:unfreeze { from_index = 2, to_index = 3 }))
  end)

  it("drops the gradient of what it freezes, so that no optimizer moves it", function()
    local model = make_model()
    local freezer = ModelFreezer(model)
    local optimizer = pl.optim.SGD(model:parameters(), { lr = 0.1 })
    model(pl.rand(4, 3)):square():sum():backward()
    local before = model[1].weight:totable()
    freezer:freeze()
    optimizer:step()
    assert.are.same(before, model[1].weight:totable())
  end)

  it("freezes with evaluation mode, which training keeps until it unfreezes", function()
    local model = make_model()
    local freezer = ModelFreezer(model)
    freezer:freeze { set_modules_as_eval = true }
    assert.are.equal("1111011100", frozen(model))
    model:train()
    assert.are.same({ false, false, true, false, true }, { model[1].training,
      model[2][3].training, model[2][2].training, model[3].inner.training, model[4].training })
    freezer:unfreeze()
    assert.are.equal("0000000000", frozen(model))
    assert.is_true(model[2][3].training)
    model:eval()
    model:train()
    assert.is_true(model[1].training)
  end)

  it("leaves modes alone unless it is told to", function()
    local model = make_model()
    local freezer = ModelFreezer(model)
    freezer:freeze()
    assert.is_true(model[1].training)
    model:eval()
    freezer:unfreeze { set_modules_as_training = false }
    assert.are.equal("0000000000", frozen(model))
    assert.is_false(model[1].training)
  end)

  it("refuses groups that do not exist and models without parts", function()
    local freezer = ModelFreezer(make_model())
    assert.are.equal("ModelFreezer:freeze: 'to_index' is 5, the model has 4 layer groups (1..4, or"
      .. " -1..-4 from the end)", message(freezer.freeze, freezer, { to_index = 5 }))
    assert.truthy(message(freezer.unfreeze, freezer, { from_index = 0 }):find("is 0", 1, true))
    assert.truthy(message(ModelFreezer, nn.Linear(2, 2)):find("no children to freeze", 1, true))
    assert.truthy(message(freezer.freeze, freezer, { to = 1 }):find("unknown option 'to'", 1, true))
  end)
end)
