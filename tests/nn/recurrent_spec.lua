-- nn.LSTM, GRU and RNN beyond their numbers (tests/ops/golden_spec.lua): layouts of the input,
-- text, errors.

local pl = require "perilune"
local nn = pl.nn

local function same(a, b)
  assert.same(a.shape, b.shape)
  assert.is_true((a - b):abs():max():item() < 1e-6)
end

local function message_of(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return tostring(err)
end

-- A state as a list, whatever its form.
local function listed(state) return state[2] and state or { state } end

for _, name in ipairs { "LSTM", "GRU", "RNN" } do
  describe(name, function()
    local Layer = nn[name]

    it("takes steps first, n first or a single sequence", function()
      pl.manual_seed(2)
      local layer = Layer(3, 5, { num_layers = 2 })
      local x = pl.randn(4, 2, 3)
      local y, state = layer(x)
      assert.same({ 4, 2, 5 }, y.shape)
      layer.batch_first = true
      local turned, again = layer(x:transpose(1, 2))
      same(y, turned:transpose(1, 2))
      layer.batch_first = false
      local single, last = layer(x:select(2, 2))
      same(y:select(2, 2), single)
      for i, t in ipairs(listed(state)) do
        assert.same({ 2, 2, 5 }, t.shape)
        same(t, listed(again)[i])
        same(t:select(2, 2), listed(last)[i])
      end
    end)

    it("goes on from the state it gave", function()
      local layer = Layer(3, 5, { bias = false })
      local x = pl.randn(6, 2, 3)
      local y = layer(x)
      local _, state = layer(x:narrow(1, 1, 4))
      same(y:narrow(1, 5, 2), (layer(x:narrow(1, 5, 2), state)))
      local _, single = layer(x:select(2, 1):narrow(1, 1, 4))
      same(y:narrow(1, 5, 2):select(2, 1), (layer(x:select(2, 1):narrow(1, 5, 2), single)))
    end)

    it("drops between layers in training only", function()
      local layer = Layer(3, 5, { num_layers = 2, dropout = 0.5 })
      local x = pl.randn(4, 2, 3)
      assert.is_true((layer(x) - layer(x)):abs():max():item() > 0)
      layer:eval()
      same((layer(x)), (layer(x)))
    end)

    it("says what does not fit", function()
      local layer = Layer(3, 5)
      assert.matches(name .. ": expected steps x n x 3, got 4x2x4",
        message_of(layer, pl.randn(4, 2, 4)))
      local p = pl.randn(2, 1, 3):requires_grad_(true)
      local y = layer(p):sum()
      assert.matches(name:lower() .. ": its gradient cannot be differentiated again",
        message_of(y.backward, y, nil, { create_graph = true }))
    end)
  end)
end

describe("LSTM", function()
  it("has PyTorch's names, bounds and text", function()
    local layer = nn.LSTM(3, 16, { bidirectional = true, batch_first = true })
    local names = {}
    for name, p in layer:named_parameters() do
      names[#names + 1] = name
      local most = p:abs():max():item()
      assert.is_true(most <= 0.25 and most > 0.2)
    end
    assert.same({ "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0",
      "weight_ih_l0_reverse", "weight_hh_l0_reverse", "bias_ih_l0_reverse", "bias_hh_l0_reverse" },
      names)
    assert.equal("LSTM(3, 16, batch_first=true, bidirectional=true)", tostring(layer))
  end)

  it("says what its state is", function()
    local x, wrong = pl.randn(4, 2, 3), pl.zeros(2, 5)
    assert.matches("the state must be { h, c } of 1x2x5 each, got 2x5",
      message_of(nn.LSTM(3, 5), x, { wrong, wrong }))
    assert.matches("the state must be { h, c } of 1x2x5 each", message_of(nn.LSTM(3, 5), x,
      { pl.zeros(1, 2, 5) }))
    assert.matches("GRU: the state must be 1x2x5, got 2x5", message_of(nn.GRU(3, 5), x, wrong))
    assert.matches("GRU: the state must be 1x2x5", message_of(nn.GRU(3, 5), x, { wrong }))
  end)
end)

describe("RNN", function()
  it("has relu for tanh, and says so", function()
    local layer = nn.RNN(2, 3, { nonlinearity = "relu" })
    local x = pl.randn(1, 4, 2)
    same(x:select(1, 1):linear(layer.weight_ih_l0, layer.bias_ih_l0 + layer.bias_hh_l0):relu(),
      layer(x):select(1, 1))
    assert.equal("RNN(2, 3, nonlinearity=relu)", tostring(layer))
    assert.matches("'nonlinearity' must be one of 'tanh', 'relu'", message_of(nn.RNN, 2, 3,
      { nonlinearity = "sigmoid" }))
  end)
end)
