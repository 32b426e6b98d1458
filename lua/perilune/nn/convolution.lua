--- nn.Conv1d, nn.Conv2d and nn.ConvTranspose2d. Weights are drawn as PyTorch's: kaiming_uniform
-- with a = sqrt(5), the bias uniform within 1 / sqrt(fan in).

local class = require "perilune.class"
local create = require "perilune.create"
local errors = require "perilune.errors"
local ops = require "perilune.ops"
local sizes = require "perilune.nn.pairs_of_sizes"
local Module = require "perilune.nn.module"
local Parameter = require("perilune.nn.parameter").Parameter
local init = require "perilune.nn.initializers"

local convolution = {}

local function options(more)
  local list = {
    { "in_channels", type = "integer", required = true, min = 1, doc = "channels of the input" },
    { "out_channels", type = "integer", required = true, min = 1, doc = "channels of the output" },
    { "kernel_size", type = { "integer", "table" }, required = true, doc = "size of the window" },
    sizes.option("stride", 1, "steps between windows"),
    sizes.option("padding", 0, "zeros around the input"),
    sizes.option("dilation", 1, "steps between elements of a window"),
    { "groups", 1, type = "integer", min = 1, doc = "groups of channels that do not mix" },
    { "bias", true, doc = "learn an additive bias" },
  }
  for _, option in ipairs(more or {}) do list[#list + 1] = option end
  return list
end

local function check_groups(name, o)
  for _, which in ipairs { "in_channels", "out_channels" } do
    if o[which] % o.groups ~= 0 then
      errors.raise("argument", ("%s: %s %d is not divisible by groups %d"):format(name, which,
        o[which], o.groups), { argument = "groups" })
    end
  end
end

--- The fields, attributes and parameters that all convolutions have.
-- @param layer the instance
-- @param name its class
-- @param o checked options
-- @param row the op
-- @param shape sizes of the weight
-- @param extra attributes besides the common ones
local function set_up(layer, name, o, row, shape, extra)
  check_groups(name, o)
  layer.in_channels, layer.out_channels, layer.groups = o.in_channels, o.out_channels, o.groups
  local attributes = { stride = layer.stride, padding = layer.padding, dilation = layer.dilation,
    groups = o.groups }
  for key, value in pairs(extra or {}) do attributes[key] = value end
  layer.window = ops.prepare(row, attributes)
  layer.weight = Parameter(create.empty(shape))
  if o.bias then layer.bias = Parameter(create.empty { o.out_channels }) end
  layer:reset_parameters()
end

local function each_pair(layer, name, o, ...)
  for _, option in ipairs { ... } do layer[option] = sizes.both(name, option, o[option]) end
end

--- Draw weight and bias anew.
local function reset_parameters(self)
  init.kaiming_uniform_(self.weight, { a = math.sqrt(5) })
  if self.bias then
    local shape, fan_in = self.weight.shape, 1
    for d = 2, #shape do fan_in = fan_in * shape[d] end
    local bound = 1 / math.sqrt(fan_in)
    init.uniform_(self.bias, -bound, bound)
  end
end

local function shape_text(self)
  return ("%d -> %d, kernel %s"):format(self.in_channels, self.out_channels,
    sizes.text(self.kernel_size))
end

local function differs(values, from)
  for _, v in ipairs(values) do if v ~= from then return true end end
  return false
end

local function extra_repr(self)
  local words = { ("%d, %d, kernel_size=%s, stride=%s"):format(self.in_channels, self.out_channels,
    sizes.text(self.kernel_size), sizes.text(self.stride)) }
  local function add(name, from)
    local value = self[name]
    if value and differs(value, from) then words[#words + 1] = name .. "=" .. sizes.text(value) end
  end
  add("padding", 0)
  add("dilation", 1)
  add("output_padding", 0)
  if self.groups ~= 1 then words[#words + 1] = "groups=" .. self.groups end
  if not self.bias then words[#words + 1] = "bias=false" end
  return table.concat(words, ", ")
end

local function declare(name, more)
  local Layer = class(name, Module)
  Layer.options = options(more)
  Layer.reset_parameters, Layer.shape_text, Layer.extra_repr =
    reset_parameters, shape_text, extra_repr
  convolution[name] = Layer
  return Layer
end

local Conv2d = declare "Conv2d"

function Conv2d:init(o)
  o = Conv2d:check(o)
  each_pair(self, "Conv2d", o, "kernel_size", "stride", "padding", "dilation")
  set_up(self, "Conv2d", o, "conv2d", { o.out_channels, math.floor(o.in_channels / o.groups),
    self.kernel_size[1], self.kernel_size[2] })
end

function Conv2d:forward(x)
  return x:conv2d(self.weight, self.bias, self.window)
end

local ConvTranspose2d = declare("ConvTranspose2d",
  { sizes.option("output_padding", 0, "size added to one side of the output") })

function ConvTranspose2d:init(o)
  o = ConvTranspose2d:check(o)
  each_pair(self, "ConvTranspose2d", o, "kernel_size", "stride", "padding", "dilation",
    "output_padding")
  set_up(self, "ConvTranspose2d", o, "conv_transpose2d", { o.in_channels,
    math.floor(o.out_channels / o.groups), self.kernel_size[1], self.kernel_size[2] },
    { output_padding = self.output_padding })
end

function ConvTranspose2d:forward(x)
  return x:conv_transpose2d(self.weight, self.bias, self.window)
end

-- ---- one dimension: images of height 1 ----

local Conv1d = declare "Conv1d"

local function one_size(name, value)
  local list = type(value) == "table" and value or { value }
  if #list ~= 1 or type(list[1]) ~= "number" then
    errors.raise("argument", ("Conv1d: %s must be an integer"):format(name), { argument = name })
  end
  return list
end

function Conv1d:init(o)
  o = Conv1d:check(o)
  for _, option in ipairs { "kernel_size", "stride", "padding", "dilation" } do
    self[option] = one_size(option, o[option])
  end
  set_up(self, "Conv1d", o, "conv2d", { o.out_channels, math.floor(o.in_channels / o.groups),
    self.kernel_size[1] }, { stride = { 1, self.stride[1] }, padding = { 0, self.padding[1] },
    dilation = { 1, self.dilation[1] } })
end

function Conv1d:forward(x)
  local y = x:unsqueeze(-2):conv2d(self.weight:unsqueeze(-2), self.bias, self.window)
  return y:squeeze(-2)
end

return convolution
