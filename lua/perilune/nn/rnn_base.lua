--- RNNBase: what nn.LSTM, nn.GRU and nn.RNN share: layers on top of each other, both directions,
-- layouts of the input, states. Parameters have PyTorch's names (weight_ih_l0,
-- weight_hh_l0_reverse ...) and distribution, uniform within 1 / sqrt(hidden_size). A subclass
-- says how many gates and states it has and runs one direction of one layer.

local class = require "perilune.class"
local create = require "perilune.create"
local errors = require "perilune.errors"
local Module = require "perilune.nn.module"
local Parameter = require("perilune.nn.parameter").Parameter
local init = require "perilune.nn.initializers"
local is_tensor = require("perilune.tensor").is_tensor

local RNNBase = class("RNNBase", Module)
RNNBase.options = {
  { "input_size", type = "integer", required = true, min = 1, doc = "features of the input" },
  { "hidden_size", type = "integer", required = true, min = 1, doc = "features of the output" },
  { "num_layers", 1, type = "integer", min = 1, doc = "layers on top of each other" },
  { "bias", true, doc = "learn additive biases" },
  { "batch_first", false, doc = "sequences are n x steps x features, not steps x n x features" },
  { "dropout", 0, min = 0, max = 1, doc = "dropout between layers" },
  { "bidirectional", false, doc = "a second pass from the end to the start" },
}

--- Gates of a layer, as multiples of hidden_size.
RNNBase.gates = 1
--- Names of the states that go from step to step.
RNNBase.states = { "h" }

--- Run one direction of one layer.
-- @param suffix of its parameters: "_l0", "_l0_reverse"
-- @param x steps x n x features
-- @param states list of n x hidden, in the order of `states`
-- @return the outputs of all steps; the list of states after the last
function RNNBase:pass(suffix, x, states) -- luacheck: ignore 212
  errors.raise("user", class.name_of(self) .. " has no pass(suffix, x, states)")
end

--- The inputs of all steps times their weights, plus both biases.
function RNNBase:input_gates(suffix, x)
  local bias = self["bias_ih" .. suffix]
  if bias then bias = bias:add(self["bias_hh" .. suffix]) end
  return x:linear(self["weight_ih" .. suffix], bias)
end

local function each_direction(layer, f)
  for l = 0, layer.num_layers - 1 do
    f(l, "_l" .. l)
    if layer.bidirectional then f(l, "_l" .. l .. "_reverse") end
  end
end

function RNNBase:init(o)
  o = self:check(o)
  for _, option in ipairs(RNNBase.options) do
    if option[1] ~= "bias" then self[option[1]] = o[option[1]] end
  end
  local hidden, directions = o.hidden_size, o.bidirectional and 2 or 1
  local rows = self.gates * hidden
  each_direction(self, function(l, suffix)
    local size = l == 0 and o.input_size or hidden * directions
    self["weight_ih" .. suffix] = Parameter(create.empty { rows, size })
    self["weight_hh" .. suffix] = Parameter(create.empty { rows, hidden })
    if o.bias then
      self["bias_ih" .. suffix] = Parameter(create.empty { rows })
      self["bias_hh" .. suffix] = Parameter(create.empty { rows })
    end
  end)
  self:reset_parameters()
end

--- Draw all parameters anew.
function RNNBase:reset_parameters()
  local bound = 1 / math.sqrt(self.hidden_size)
  for _, p in ipairs(self:parameters()) do init.uniform_(p, -bound, bound) end
end

local function check_input(self, x)
  local shape = x.shape
  if (#shape == 2 or #shape == 3) and shape[#shape] == self.input_size then return end
  local name = class.name_of(self)
  errors.raise("shape", ("%s: expected steps x n x %d%s, got %s"):format(name, self.input_size,
    self.batch_first and " with n first (batch_first)" or "", table.concat(shape, "x")),
    { op = name, argument = "x" })
end

local function refuse_state(self, shape, got)
  local name, form = class.name_of(self), table.concat(shape, "x")
  if #self.states > 1 then
    form = ("{ %s } of %s each"):format(table.concat(self.states, ", "), form)
  end
  got = is_tensor(got) and ", got " .. table.concat(got.shape, "x") or ""
  errors.raise("shape", ("%s: the state must be %s%s"):format(name, form, got),
    { op = name, argument = "state" })
end

--- The given states as layers x n x hidden each, or zeros.
local function initial_states(self, state, x, single)
  local count = self.num_layers * (self.bidirectional and 2 or 1)
  local shape = { count, x:size(2), self.hidden_size }
  if state and #self.states == 1 then state = { state } end
  local zeros = not state and create.zeros(shape, { dtype = x.dtype, device = x.device })
  local states = {}
  for i = 1, #self.states do
    local t = zeros or state[i]
    if single and state and is_tensor(t) then t = t:unsqueeze(2) end
    if not is_tensor(t) or table.concat(t.shape, "x") ~= table.concat(shape, "x") then
      refuse_state(self, shape, t)
    end
    states[i] = t
  end
  return states
end

--- Both directions of layer l (from 0). What they leave is appended to the lists in `last`, one
-- for each state.
local function run_layer(self, l, x, states, last)
  local outputs = {}
  for d = 1, self.bidirectional and 2 or 1 do
    local at, before = #last[1] + 1, {}
    for i, state in ipairs(states) do before[i] = state:select(1, at) end
    local suffix = "_l" .. l .. (d == 2 and "_reverse" or "")
    local y, after = self:pass(suffix, d == 2 and x:flip(1) or x, before)
    for i, state in ipairs(after) do last[i][at] = state end
    outputs[d] = d == 2 and y:flip(1) or y
  end
  return outputs[2] and create.cat(outputs, -1) or outputs[1]
end

-- As the caller gave them, or would have.
local function final_state(last, single)
  local states = {}
  for i, list in ipairs(last) do
    states[i] = create.stack(list, 1)
    if single then states[i] = states[i]:squeeze(2) end
  end
  return #states == 1 and states[1] or states
end

--- @param x sequences, steps x n x features (or n first, or one sequence without n)
-- @param state what to begin with, layers x n x hidden; { h, c } of an LSTM; zeros by default
-- @return the last layer's output of every step; the state after the last
function RNNBase:forward(x, state)
  check_input(self, x)
  local single = x:dim() == 2
  if single then x = x:unsqueeze(2)
  elseif self.batch_first then x = x:transpose(1, 2) end
  local states, last = initial_states(self, state, x, single), {}
  for i = 1, #states do last[i] = {} end
  for l = 0, self.num_layers - 1 do
    if l > 0 and self.training and self.dropout > 0 then x = x:dropout(self.dropout) end
    x = run_layer(self, l, x, states, last)
  end
  if single then x = x:squeeze(2)
  elseif self.batch_first then x = x:transpose(1, 2) end
  return x, final_state(last, single)
end

function RNNBase:shape_text()
  return ("%d -> %d"):format(self.input_size, self.hidden_size)
end

function RNNBase:extra_repr()
  local words = { ("%d, %d"):format(self.input_size, self.hidden_size) }
  if self.num_layers ~= 1 then words[2] = "num_layers=" .. self.num_layers end
  if not self.bias_ih_l0 then words[#words + 1] = "bias=false" end
  for _, name in ipairs { "batch_first", "dropout", "bidirectional" } do
    local value = self[name]
    if value and value ~= 0 then words[#words + 1] = name .. "=" .. tostring(value) end
  end
  return table.concat(words, ", ")
end

return RNNBase
