--- nn.LSTM: layers of long short-term memory. Parameters have PyTorch's names (weight_ih_l0,
-- weight_hh_l0_reverse ...), order of gates (input, forget, cell, output) and distribution, uniform
-- within 1 / sqrt(hidden_size).

local class = require "perilune.class"
local create = require "perilune.create"
local errors = require "perilune.errors"
local Module = require "perilune.nn.module"
local Parameter = require("perilune.nn.parameter").Parameter
local init = require "perilune.nn.initializers"

local LSTM = class("LSTM", Module)
LSTM.options = {
  { "input_size", type = "integer", required = true, min = 1, doc = "features of the input" },
  { "hidden_size", type = "integer", required = true, min = 1, doc = "features of the output" },
  { "num_layers", 1, type = "integer", min = 1, doc = "layers on top of each other" },
  { "bias", true, doc = "learn additive biases" },
  { "batch_first", false, doc = "sequences are n x steps x features, not steps x n x features" },
  { "dropout", 0, min = 0, max = 1, doc = "dropout between layers" },
  { "bidirectional", false, doc = "a second pass from the end to the start" },
}

local function each_direction(layer, f)
  for l = 0, layer.num_layers - 1 do
    f(l, "_l" .. l)
    if layer.bidirectional then f(l, "_l" .. l .. "_reverse") end
  end
end

function LSTM:init(o)
  o = LSTM:check(o)
  for _, option in ipairs(LSTM.options) do
    if option[1] ~= "bias" then self[option[1]] = o[option[1]] end
  end
  local hidden, directions = o.hidden_size, o.bidirectional and 2 or 1
  each_direction(self, function(l, suffix)
    local size = l == 0 and o.input_size or hidden * directions
    self["weight_ih" .. suffix] = Parameter(create.empty { 4 * hidden, size })
    self["weight_hh" .. suffix] = Parameter(create.empty { 4 * hidden, hidden })
    if o.bias then
      self["bias_ih" .. suffix] = Parameter(create.empty { 4 * hidden })
      self["bias_hh" .. suffix] = Parameter(create.empty { 4 * hidden })
    end
  end)
  self:reset_parameters()
end

--- Draw all parameters anew.
function LSTM:reset_parameters()
  local bound = 1 / math.sqrt(self.hidden_size)
  for _, p in ipairs(self:parameters()) do init.uniform_(p, -bound, bound) end
end

--- One direction of one layer over steps x n x features.
local function pass(self, suffix, x, h, c)
  local bias = self["bias_ih" .. suffix]
  if bias then bias = bias:add(self["bias_hh" .. suffix]) end
  local gates = x:linear(self["weight_ih" .. suffix], bias)
  return gates:lstm(h, c, self["weight_hh" .. suffix])
end

local function check_input(self, x)
  local shape = x.shape
  if (#shape == 2 or #shape == 3) and shape[#shape] == self.input_size then return end
  errors.raise("shape", ("LSTM: expected steps x n x %d%s, got %s"):format(self.input_size,
    self.batch_first and " with n first (batch_first)" or "", table.concat(shape, "x")),
    { op = "LSTM", argument = "x" })
end

--- The given state as layers x n x hidden, or zeros.
local function initial_state(self, state, x, single)
  local count = self.num_layers * (self.bidirectional and 2 or 1)
  local shape = { count, x:size(2), self.hidden_size }
  if not state then
    local zeros = create.zeros(shape, { dtype = x.dtype, device = x.device })
    return zeros, zeros
  end
  for i = 1, 2 do
    local t = state[i]
    if single and t then t = t:unsqueeze(2) end
    if not t or table.concat(t.shape, "x") ~= table.concat(shape, "x") then
      errors.raise("shape", ("LSTM: the state must be { h, c } of %s each%s"):format(
        table.concat(shape, "x"), t and ", got " .. table.concat(t.shape, "x") or ""),
        { op = "LSTM", argument = "state" })
    end
  end
  if single then return state[1]:unsqueeze(2), state[2]:unsqueeze(2) end
  return state[1], state[2]
end

local function stack(list)
  for i, t in ipairs(list) do list[i] = t:unsqueeze(1) end
  return create.cat(list, 1)
end

--- Both directions of layer l (from 0); what they leave is appended to hs and cs.
local function run_layer(self, l, x, h, c, hs, cs)
  local outputs = {}
  for d = 1, self.bidirectional and 2 or 1 do
    local at, suffix = #hs + 1, "_l" .. l .. (d == 2 and "_reverse" or "")
    local y, cell = pass(self, suffix, d == 2 and x:flip(1) or x, h:select(1, at), c:select(1, at))
    hs[at], cs[at] = y:select(1, -1), cell
    outputs[d] = d == 2 and y:flip(1) or y
  end
  return outputs[2] and create.cat(outputs, -1) or outputs[1]
end

--- @param x sequences, steps x n x features (or n first, or one sequence without n)
-- @param state { h, c } to begin with, layers x n x hidden each; zeros by default
-- @return the last layer's output of every step; the state { h, c } after the last
function LSTM:forward(x, state)
  check_input(self, x)
  local single = x:dim() == 2
  if single then x = x:unsqueeze(2)
  elseif self.batch_first then x = x:transpose(1, 2) end
  local h, c = initial_state(self, state, x, single)
  local hs, cs = {}, {}
  for l = 0, self.num_layers - 1 do
    if l > 0 and self.training and self.dropout > 0 then x = x:dropout(self.dropout) end
    x = run_layer(self, l, x, h, c, hs, cs)
  end
  h, c = stack(hs), stack(cs)
  if single then return x:squeeze(2), { h:squeeze(2), c:squeeze(2) } end
  if self.batch_first then x = x:transpose(1, 2) end
  return x, { h, c }
end

function LSTM:shape_text()
  return ("%d -> %d"):format(self.input_size, self.hidden_size)
end

function LSTM:extra_repr()
  local words = { ("%d, %d"):format(self.input_size, self.hidden_size) }
  if self.num_layers ~= 1 then words[2] = "num_layers=" .. self.num_layers end
  if not self.bias_ih_l0 then words[#words + 1] = "bias=false" end
  for _, name in ipairs { "batch_first", "dropout", "bidirectional" } do
    local value = self[name]
    if value and value ~= 0 then words[#words + 1] = name .. "=" .. tostring(value) end
  end
  return table.concat(words, ", ")
end

return LSTM
