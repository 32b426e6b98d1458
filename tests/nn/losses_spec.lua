local pl = require "perilune"
local nn = pl.nn

-- Expected numbers were made with PyTorch 2 on the same inputs (targets from 0 there).
local x = pl.tensor { { 0.5, -1.0, 2.0 }, { 1.5, 0.25, -0.75 } }
local y = pl.tensor { { 1.0, 0.0, 1.0 }, { 0.0, 1.0, 0.5 } }
local p = pl.tensor { { 0.5, 0.1, 0.0 }, { 0.9, 0.25, 1.0 } }
local q = pl.tensor { { 0.2, 0.3, 0.5 }, { 0.0, 0.6, 0.4 } }
local classes = pl.tensor({ 3, 1 }, { dtype = "i64" })
local weight = pl.tensor { 1, 2, 0.5 }
local factors = pl.tensor { 1, 0.5, 2 }

local function near(expected, t)
  local got = t:item()
  assert(math.abs(expected - got) <= 1e-5 * math.max(1, math.abs(expected)),
    ("expected %.9g, got %.9g"):format(expected, got))
end

local function message(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "expected an error")
  return e.message
end

describe("losses", function()
  it("of differences agree with PyTorch", function()
    near(1.10416663, nn.MSELoss()(x, y))
    near(6.625, nn.MSELoss { reduction = "sum" }(x, y))
    near(1, nn.L1Loss()(x, y))
    near(0.458333343, nn.HuberLoss { delta = 0.7 }(x, y))
    near(0.75, nn.SmoothL1Loss { beta = 0.5 }(x, y))
    near(1, nn.SmoothL1Loss { beta = 0 }(x, y))
    assert.are.same({ 2, 3 }, nn.MSELoss { reduction = "none" }(x, y).shape)
  end)

  it("of binary targets agree with PyTorch", function()
    near(0.658915102, nn.BCEWithLogitsLoss()(x, y))
    near(1.24451876,
      nn.BCEWithLogitsLoss { pos_weight = pl.tensor { 1, 2, 3 }, weight = factors }(x, y))
    near(25.747896194, nn.BCELoss()(p, y))
    near(303.741546631, nn.BCELoss { weight = factors, reduction = "sum" }(p, y))
  end)

  it("of classes agree with PyTorch, targets from 1", function()
    near(0.285991967, nn.CrossEntropyLoss()(x, classes))
    near(0.562506795, nn.CrossEntropyLoss { label_smoothing = 0.1, weight = weight }(x, classes))
    near(0.571983933, nn.CrossEntropyLoss { reduction = "sum" }(x, classes))
    near(0.330672592, nn.CrossEntropyLoss { ignore_index = 3 }(x, classes))
    near(0.300885499, nn.NLLLoss { weight = weight }(x:log_softmax(-1), classes))
  end)

  it("of shares of classes agree with PyTorch", function()
    near(1.7109921, nn.CrossEntropyLoss()(x, q))
    near(4.72725153, nn.CrossEntropyLoss { weight = weight, label_smoothing = 0.1,
      reduction = "sum" }(x, q))
    near(1.7109921, nn.CrossEntropyLoss()(x:to("f64"), q:to("f64")))
    assert.truthy(message(nn.CrossEntropyLoss { ignore_index = 2 }, x, q):find("ignore_index is"))
    assert.truthy(message(nn.CrossEntropyLoss(), x, pl.ones(2, 4)):find("2x3 and 2x4", 1, true))
  end)

  it("of distributions agree with PyTorch", function()
    local log_probs = x:log_softmax(-1)
    near(0.859659612, nn.KLDivLoss { reduction = "batchmean" }(log_probs, q))
    near(0.958291888,
      nn.KLDivLoss { reduction = "sum", log_target = true }(log_probs, y:log_softmax(-1)))
  end)

  it("let options change between calls", function()
    local loss = nn.CrossEntropyLoss()
    near(0.285991967, loss(x, classes))
    loss.reduction = "sum"
    near(0.571983933, loss(x, classes))
  end)

  it("own their weight as a buffer", function()
    local loss = nn.CrossEntropyLoss { weight = weight }
    assert.are.equal("weight", loss:state_dict()[1])
    assert.are.equal("f64", loss:to("f64").weight.dtype)
    assert.are.equal("f32", weight.dtype)
  end)

  it("do not broadcast silently", function()
    for _, name in ipairs { "MSELoss", "L1Loss", "SmoothL1Loss", "BCELoss", "KLDivLoss" } do
      local text = message(nn[name](), x, pl.ones(3))
      assert.truthy(text:find("^" .. name .. ": "))
      assert.truthy(text:find("2x3", 1, true))
    end
  end)

  it("refuse misspelt options", function()
    assert.are.equal("CrossEntropyLoss: unknown option 'label_smothing'"
      .. " (did you mean 'label_smoothing'?)", message(nn.CrossEntropyLoss, { label_smothing = 1 }))
    assert.truthy(message(nn.MSELoss, { reduction = "avg" }):find("'mean', 'sum', 'none'", 1, true))
  end)

  it("give finite gradients", function()
    local input = x:clone():requires_grad_(true)
    nn.BCEWithLogitsLoss { pos_weight = factors }(input, y):backward()
    assert.is_true(input.grad:isfinite():all():item())
    local probabilities = p:clone():requires_grad_(true)
    nn.BCELoss()(probabilities, y):backward()
    assert.is_true(probabilities.grad:isfinite():all():item())
  end)
end)

describe("nn.functional", function()
  it("offers the same losses and activations", function()
    local F = nn.functional
    near(0.285991967, F.cross_entropy(x, classes))
    near(0.571983933, F.cross_entropy(x, classes, { reduction = "sum" }))
    near(1.10416663, F.mse_loss(x, y))
    assert.are.same(x:relu():totable(), F.relu(x):totable())
    assert.are.same(x:softmax(2):totable(), F.softmax(x, 2):totable())
    assert.are.equal(x, F.dropout(x, { training = false }))
  end)
end)

describe("activation layers", function()
  it("are the tensor's methods", function()
    assert.are.same(x:leaky_relu(0.2):totable(), nn.LeakyReLU { negative_slope = 0.2 }(x):totable())
    assert.are.same(x:elu(0.5):totable(), nn.ELU { alpha = 0.5 }(x):totable())
    assert.are.same(x:softmax(1):totable(), nn.Softmax { dim = 1 }(x):totable())
    for layer, method in pairs { ReLU = "relu", Tanh = "tanh", Sigmoid = "sigmoid", GELU = "gelu",
      SiLU = "silu", Softplus = "softplus" } do
      assert.are.same(x[method](x):totable(), nn[layer]()(x):totable())
    end
    assert.are.equal("LeakyReLU(negative_slope=0.2)",
      tostring(nn.LeakyReLU { negative_slope = 0.2 }))
  end)

  it("have PyTorch's defaults, and all their options count", function()
    local wide = pl.tensor{ -3, -0.5, 0.5, 3 }
    assert.are.same(wide:leaky_relu(0.01):totable(), nn.LeakyReLU()(wide):totable())
    assert.are.same(wide:elu(1):totable(), nn.ELU()(wide):totable())
    assert.are.same({ -1, -0.5, 0.5, 1 }, nn.Hardtanh()(wide):totable())
    assert.are.same({ -2, -0.5, 0.25, 0.25 },
      nn.Hardtanh{ min_val = -2, max_val = 0.25 }(wide):totable())
  end)

  it("are functions too, where several ops make them", function()
    local F = nn.functional
    assert.are.same(nn.Hardtanh { min_val = -0.5 }(x):totable(),
      F.hardtanh(x, { min_val = -0.5 }):totable())
    assert.are.same(nn.GELU()(x):totable(), F.gelu(x):totable())
    assert.are.equal("Hardtanh(min_val=-0.5)", tostring(nn.Hardtanh { min_val = -0.5 }))
    assert.are.equal("GELU()", tostring(nn.GELU()))
    assert.are.equal("PReLU(num_parameters=1)", tostring(nn.PReLU()))
    assert.are.same(x:leaky_relu(0.25):totable(), nn.PReLU()(x):totable())
    local ok, err = pcall(F.gelu, x, { approximate = "tan" })
    assert.is_false(ok)
    assert.truthy(tostring(err):find("'approximate' must be one of 'none', 'tanh'", 1, true))
  end)

  it("drop out in training only", function()
    pl.manual_seed(1)
    local dropout, ones = nn.Dropout { p = 0.5 }, pl.ones(1000)
    local out = dropout(ones)
    local kept = out:gt(0):sum():item()
    assert.is_true(kept > 400 and kept < 600)
    assert.are.equal(2, out:max():item())
    assert.are.equal(ones, dropout:eval()(ones))
  end)

  it("look rows up by positions from 1", function()
    local embedding = nn.Embedding(4, 3, { padding_idx = 2 })
    local out = embedding(pl.tensor({ 1, 2, 4 }, { dtype = "i64" }))
    assert.are.same({ 3, 3 }, out.shape)
    assert.are.same({ 0, 0, 0 }, out[2]:totable())
    out:sum():backward()
    assert.are.equal(0, embedding.weight.grad[2]:abs():sum():item())
    assert.are.equal(3, embedding.weight.grad[4]:sum():item())
  end)
end)

describe("CrossEntropyLoss", function()
  it("says of float targets that positions are integers", function()
    local ok, e = pcall(nn.CrossEntropyLoss(), pl.zeros(2, 3), pl.tensor{ 1, 2 })
    assert.is_false(ok)
    assert.equal("CrossEntropyLoss: cross_entropy: target is f32, but positions of classes are"
      .. " integers; target:long() makes them", e.message)
  end)
end)

describe("nn.functional", function()
  local a, b = pl.tensor{ { 3, 4 }, { 0, 0 } }, pl.tensor{ { 4, 3 }, { 1, 1 } }

  local function all_near(expected, t)
    for i, value in ipairs(t:flatten():totable()) do assert.near(expected[i], value, 1e-6) end
  end

  it("normalises along a dimension", function()
    all_near({ 0.6, 0.8, 0, 0 }, nn.functional.normalize(a))
    all_near({ 1, 1, 0, 0 }, nn.functional.normalize(a, 2, 1))
    all_near({ 3 / 7, 4 / 7, 0, 0 }, nn.functional.normalize(a, { p = 1 }))
  end)

  it("compares directions", function()
    all_near({ 0.96, 0 }, nn.functional.cosine_similarity(a, b))
    all_near({ 12 / 3 / math.sqrt(17), 12 / 4 / math.sqrt(10) },
      nn.functional.cosine_similarity(a, b, { dim = 1 }))
  end)
end)
