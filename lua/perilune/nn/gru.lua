--- nn.GRU: layers of gated recurrent units, with PyTorch's order of gates (reset, update, new) and
-- its form: the reset gate multiplies the recurrent product with its bias.

local class = require "perilune.class"
local RNNBase = require "perilune.nn.rnn_base"

local GRU = class("GRU", RNNBase)
GRU.gates = 3

function GRU:pass(suffix, x, states)
  local gates = x:linear(self["weight_ih" .. suffix], self["bias_ih" .. suffix])
  local y = gates:gru(states[1], self["weight_hh" .. suffix], self["bias_hh" .. suffix])
  return y, { y:select(1, -1) }
end

return GRU
