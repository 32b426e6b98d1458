--- nn.Conv1d, nn.Conv2d and nn.ConvTranspose2d. Weights are drawn as PyTorch's: kaiming_uniform
-- with a = sqrt(5), the bias uniform within 1 / sqrt(fan in).

local class = require "perilune.class"
local create = require "perilune.create"
local errors = require "perilune.errors"
local ops = require "perilune.ops"
local suggest = require "perilune.suggest"
local sizes = require "perilune.nn.pairs_of_sizes"
local Module = require "perilune.nn.module"
local Parameter = require("perilune.nn.parameter").Parameter
local init = require "perilune.nn.initializers"

local convolution = {}

local padding = { "padding", 0, type = { "integer", "table", "string" },
  doc = "zeros around the input; 'same': an output as large as the input; 'valid': none" }

local function options(padding_option, more)
  local list = {
    { "in_channels", type = "integer", required = true, min = 1, doc = "channels of the input" },
    { "out_channels", type = "integer", required = true, min = 1, doc = "channels of the output" },
    { "kernel_size", type = { "integer", "table" }, required = true, doc = "size of the window" },
    sizes.option("stride", 1, "steps between windows"),
    padding_option,
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
-- @param extra attributes besides stride, dilation and groups
local function set_up(layer, name, o, row, shape, extra)
  check_groups(name, o)
  layer.in_channels, layer.out_channels, layer.groups = o.in_channels, o.out_channels, o.groups
  local attributes = { stride = layer.stride, dilation = layer.dilation, groups = o.groups }
  for key, value in pairs(extra) do attributes[key] = value end
  layer.window = ops.prepare(row, attributes)
  layer.weight = Parameter(create.empty(shape))
  if o.bias then layer.bias = Parameter(create.empty { o.out_channels }) end
  layer:reset_parameters()
end

local function each_pair(layer, name, o, ...)
  for _, option in ipairs { ... } do layer[option] = sizes.both(name, option, o[option]) end
end

-- Half of what the window spans besides one element goes to each side, the odd one behind.
local function same_padding(layer, name)
  local before, behind, is_odd = {}, {}, false
  for d, size in ipairs(layer.kernel_size) do
    if layer.stride[d] ~= 1 then
      errors.raise("argument", name .. ": padding 'same' needs stride 1",
        { argument = "padding" })
    end
    local total = layer.dilation[d] * (size - 1)
    before[d] = math.floor(total / 2)
    behind[#layer.kernel_size - d + 1] = total % 2
    is_odd = is_odd or total % 2 == 1
  end
  if is_odd then
    layer.behind = ops.prepare("pad", { padding = { 0, behind[1], 0, behind[2] or 0 } })
  end
  return before
end

--- Sets `padding` as it was given, sizes apart; `behind`, where "same" needs more on one side, is
-- what pads the input first.
-- @param to_sizes makes a list of the option's sizes
-- @return the sizes on both sides
local function set_padding(layer, name, given, to_sizes)
  layer.padding = given
  if given == "same" then return same_padding(layer, name) end
  if given == "valid" then return to_sizes(name, "padding", 0) end
  if type(given) == "string" then
    errors.raise("argument", ("%s: padding is sizes, 'same' or 'valid', not '%s'%s"):format(name,
      given, suggest.hint(given, { "same", "valid" })), { argument = "padding" })
  end
  layer.padding = to_sizes(name, "padding", given)
  return layer.padding
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
  if type(values) == "string" then return true end
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

local function declare(name, padding_option, more)
  local Layer = class(name, Module)
  Layer.options = options(padding_option, more)
  Layer.reset_parameters, Layer.shape_text, Layer.extra_repr =
    reset_parameters, shape_text, extra_repr
  convolution[name] = Layer
  return Layer
end

local Conv2d = declare("Conv2d", padding)

function Conv2d:init(o)
  o = Conv2d:check(o)
  each_pair(self, "Conv2d", o, "kernel_size", "stride", "dilation")
  set_up(self, "Conv2d", o, "conv2d", { o.out_channels, math.floor(o.in_channels / o.groups),
    self.kernel_size[1], self.kernel_size[2] },
    { padding = set_padding(self, "Conv2d", o.padding, sizes.both) })
end

function Conv2d:forward(x)
  if self.behind then x = x:pad(self.behind) end
  return x:conv2d(self.weight, self.bias, self.window)
end

local ConvTranspose2d = declare("ConvTranspose2d",
  sizes.option("padding", 0, "zeros around the input of the convolution it transposes"),
  { sizes.option("output_padding", 0, "size added to one side of the output") })

function ConvTranspose2d:init(o)
  o = ConvTranspose2d:check(o)
  each_pair(self, "ConvTranspose2d", o, "kernel_size", "stride", "padding", "dilation",
    "output_padding")
  set_up(self, "ConvTranspose2d", o, "conv_transpose2d", { o.in_channels,
    math.floor(o.out_channels / o.groups), self.kernel_size[1], self.kernel_size[2] },
    { padding = self.padding, output_padding = self.output_padding })
end

function ConvTranspose2d:forward(x)
  return x:conv_transpose2d(self.weight, self.bias, self.window)
end

-- ---- one dimension: images of height 1 ----

local Conv1d = declare("Conv1d", padding)

local function one_size(layer, name, value)
  local list = type(value) == "table" and value or { value }
  if #list ~= 1 or type(list[1]) ~= "number" then
    errors.raise("argument", ("%s: %s must be an integer"):format(layer, name), { argument = name })
  end
  return list
end

function Conv1d:init(o)
  o = Conv1d:check(o)
  for _, option in ipairs { "kernel_size", "stride", "dilation" } do
    self[option] = one_size("Conv1d", option, o[option])
  end
  local both = set_padding(self, "Conv1d", o.padding, one_size)
  set_up(self, "Conv1d", o, "conv2d", { o.out_channels, math.floor(o.in_channels / o.groups),
    self.kernel_size[1] }, { stride = { 1, self.stride[1] }, padding = { 0, both[1] },
    dilation = { 1, self.dilation[1] } })
end

function Conv1d:forward(x)
  x = x:unsqueeze(-2)
  if self.behind then x = x:pad(self.behind) end
  return x:conv2d(self.weight:unsqueeze(-2), self.bias, self.window):squeeze(-2)
end

return convolution
