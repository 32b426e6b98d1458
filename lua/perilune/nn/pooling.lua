--- Pooling layers: MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, AdaptiveMaxPool2d.

local class = require "perilune.class"
local ops = require "perilune.ops"
local sizes = require "perilune.nn.pairs_of_sizes"
local Module = require "perilune.nn.module"

local pooling = {}

local kernel = { "kernel_size", type = { "integer", "table" }, required = true,
  doc = "size of the window" }
local stride = { "stride", type = { "integer", "table" },
  doc = "steps between windows, the kernel's size by default" }
local padding = sizes.option("padding", 0, "elements around the input")
local ceil_mode = { "ceil_mode", false, doc = "let the last window reach over the end" }

--- Pooling by windows: the options after the first are the op's attributes under their own names.
local function windows(name, row, more, shown)
  local Layer = class(name, Module)
  Layer.options = { kernel, stride, padding }
  for _, option in ipairs(more) do Layer.options[#Layer.options + 1] = option end

  function Layer:init(o)
    o = Layer:check(o)
    local attributes = { kernel = sizes.both(name, "kernel_size", o.kernel_size) }
    self.kernel_size, self.stride = o.kernel_size, o.stride or o.kernel_size
    for i = 2, #Layer.options do
      local option = Layer.options[i][1]
      if option ~= "stride" then self[option] = o[option] end
      local value = self[option]
      if type(Layer.options[i].type) == "table" then value = sizes.both(name, option, value) end
      attributes[option] = value
    end
    self.window = ops.prepare(row, attributes)
  end

  function Layer:forward(x) return x[row](x, self.window) end

  function Layer:extra_repr()
    local words = {}
    for i, option in ipairs(shown) do
      local value = self[option]
      local text = type(value) == "boolean" and tostring(value) or sizes.text(value)
      words[i] = option .. "=" .. text
    end
    return table.concat(words, ", ")
  end
  pooling[name] = Layer
end

windows("MaxPool2d", "max_pool2d",
  { sizes.option("dilation", 1, "steps between elements of a window"), ceil_mode },
  { "kernel_size", "stride", "padding", "dilation", "ceil_mode" })
windows("AvgPool2d", "avg_pool2d",
  { ceil_mode, { "count_include_pad", true, doc = "padding counts in the mean" } },
  { "kernel_size", "stride", "padding" })

local function adaptive(name, row)
  local Layer = class(name, Module)
  Layer.options = {
    { "output_size", type = { "integer", "table" }, required = true, doc = "size of the result" },
  }

  function Layer:init(o)
    self.output_size = Layer:check(o).output_size
    self.window = ops.prepare(row, { sizes = sizes.both(name, "output_size", self.output_size) })
  end

  function Layer:forward(x) return x[row](x, self.window) end

  function Layer:extra_repr() return "output_size=" .. sizes.text(self.output_size) end
  pooling[name] = Layer
end

adaptive("AdaptiveAvgPool2d", "adaptive_avg_pool2d")
adaptive("AdaptiveMaxPool2d", "adaptive_max_pool2d")

return pooling
