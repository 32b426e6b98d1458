-- nn.LSTM beyond its numbers (tests/ops/golden_spec.lua): layouts of the input, text, errors.

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

describe("LSTM", function()
  it("takes steps first, n first or a single sequence", function()
    pl.manual_seed(2)
    local layer = nn.LSTM(3, 5, { num_layers = 2 })
    local x = pl.randn(4, 2, 3)
    local y, state = layer(x)
    assert.same({ 4, 2, 5 }, y.shape)
    assert.same({ 2, 2, 5 }, state[1].shape)
    layer.batch_first = true
    local turned, again = layer(x:transpose(1, 2))
    same(y, turned:transpose(1, 2))
    same(state[2], again[2])
    layer.batch_first = false
    local single, last = layer(x:select(2, 2))
    same(y:select(2, 2), single)
    same(state[1]:select(2, 2), last[1])
  end)

  it("goes on from the state it gave", function()
    local layer = nn.LSTM(3, 5)
    local x = pl.randn(6, 2, 3)
    local y = layer(x)
    local _, state = layer(x:narrow(1, 1, 4))
    same(y:narrow(1, 5, 2), (layer(x:narrow(1, 5, 2), state)))
  end)

  it("drops between layers in training only", function()
    local layer = nn.LSTM(3, 5, { num_layers = 2, dropout = 0.5 })
    local x = pl.randn(4, 2, 3)
    assert.is_true((layer(x) - layer(x)):abs():max():item() > 0)
    layer:eval()
    same((layer(x)), (layer(x)))
  end)

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

  it("says what does not fit", function()
    local layer = nn.LSTM(3, 5)
    assert.matches("expected steps x n x 3, got 4x2x4", message_of(layer, pl.randn(4, 2, 4)))
    assert.matches("the state must be { h, c } of 1x2x5 each, got 2x5",
      message_of(layer, pl.randn(4, 2, 3), { pl.zeros(2, 5), pl.zeros(2, 5) }))
    local p = pl.randn(2, 1, 3):requires_grad_(true)
    local y = layer(p):sum()
    assert.matches("cannot be differentiated again",
      message_of(y.backward, y, nil, { create_graph = true }))
  end)
end)
