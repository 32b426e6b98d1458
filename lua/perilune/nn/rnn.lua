--- nn.RNN: plain recurrent layers, h = tanh (or relu) of the input's and the last h's products.

local class = require "perilune.class"
local RNNBase = require "perilune.nn.rnn_base"

local RNN = class("RNN", RNNBase)
RNN.options = {
  { "nonlinearity", "tanh", choices = { "tanh", "relu" }, doc = "what follows the sum" },
}

function RNN:init(o)
  o = self:check(o)
  self.nonlinearity = o.nonlinearity
  RNNBase.init(self, o)
end

function RNN:pass(suffix, x, states)
  local gates = self:input_gates(suffix, x)
  local y = gates:rnn(states[1], self["weight_hh" .. suffix], self.nonlinearity == "relu")
  return y, { y:select(1, -1) }
end

function RNN:extra_repr()
  local more = self.nonlinearity == "relu" and ", nonlinearity=relu" or ""
  return RNNBase.extra_repr(self) .. more
end

return RNN
