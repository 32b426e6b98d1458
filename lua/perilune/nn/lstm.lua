--- nn.LSTM: layers of long short-term memory, with PyTorch's order of gates (input, forget, cell,
-- output). Its state is { h, c }.

local class = require "perilune.class"
local RNNBase = require "perilune.nn.rnn_base"

local LSTM = class("LSTM", RNNBase)
LSTM.gates, LSTM.states = 4, { "h", "c" }

function LSTM:pass(suffix, x, states)
  local gates = self:input_gates(suffix, x)
  local y, cell = gates:lstm(states[1], states[2], self["weight_hh" .. suffix])
  return y, { y:select(1, -1), cell }
end

return LSTM
