--- Transforms of images, height x width or channels x height x width, u8 or f32; C does them, for
-- whole batches where the dataset has a source. All take `fields`, the values of a sample to change
-- (the first one unless said otherwise); fields of one step share its random numbers, so that an
-- image and its mask are cut alike.

local check = require "perilune.check"
local errors = require "perilune.errors"
local Transform = require "perilune.data.transform"

local image = {}

local fields = { "fields", { 1 }, type = "list", doc = "positions or names in a sample" }

local function make(name, o, step)
  step.name, step.fields = name, o.fields
  return Transform({ step })
end

local function refuse(name, argument, message, ...)
  errors.raise("argument", (name .. ": " .. message):format(...), { argument = argument })
end

local function is_size(n)
  return type(n) == "number" and n % 1 == 0 and n >= 1
end

-- n, or { height, width }.
local function sizes(name, size)
  if is_size(size) then return size end
  if type(size) == "table" and #size == 2 and is_size(size[1]) and is_size(size[2]) then
    return size[1], size[2]
  end
  refuse(name, "size", "a size is a whole number from 1, or { height, width } of two")
end

local to_float = { fields }

--- u8 to f32 in [0, 1]; f32 stays as it is.
function image.to_float(...)
  return make("to_float", check.call(to_float, "to_float", ...), {})
end

local normalize = {
  { "mean", type = { "number", "list" }, required = true, doc = "of all channels, or of each" },
  { "std", type = { "number", "list" }, required = true, doc = "of all channels, or of each" },
  fields,
}

local function numbers(argument, value)
  local list = type(value) == "number" and { value } or value
  for k, number in ipairs(list) do
    if type(number) ~= "number" or number - number ~= 0 then
      refuse("normalize", argument, "%s %d must be a number, got %s", argument, k,
        check.describe(number))
    end
  end
  return list
end

--- (x - mean) / std.
-- @param mean a number, or one for each channel
-- @param std alike
function image.normalize(...)
  local o = check.call(normalize, "normalize", ...)
  local mean, std = numbers("mean", o.mean), numbers("std", o.std)
  if #mean ~= #std or #mean < 1 or #mean > 16 then
    refuse("normalize", "mean", "mean and std have as many channels, 1 to 16; got %d and %d",
      #mean, #std)
  end
  return make("normalize", o, { channels = #mean, mean = mean, std = std })
end

local random_crop = {
  { "size", type = { "integer", "list" }, required = true, doc = "n, or { height, width }" },
  { "padding", 0, type = "integer", min = 0, doc = "pixels added on each side first" },
  { "fill", 0, doc = "their value" },
  fields,
}

--- A window of the (padded) image, anywhere in it.
-- @param size n for n x n, or { height, width }
-- @param o optional { padding = 0, fill = 0 }
function image.random_crop(...)
  local o = check.call(random_crop, "random_crop", ...)
  local height, width = sizes("random_crop", o.size)
  return make("random_crop", o, { height = height, width = width or height,
    padding = o.padding or 0, value = o.fill or 0 })
end

local horizontal_flip = {
  { "p", 0.5, min = 0, max = 1, doc = "how likely" },
  fields,
}

--- Left and right changed, with probability p.
function image.horizontal_flip(...)
  local o = check.call(horizontal_flip, "horizontal_flip", ...)
  return make("horizontal_flip", o, { probability = o.p or 0 })
end

local random_erasing = {
  { "p", 0.5, min = 0, max = 1, doc = "how likely" },
  { "scale", { 0.02, 0.33 }, type = "list", doc = "least and largest share of the image" },
  { "ratio", { 0.3, 3.3 }, type = "list", doc = "least and largest height over width" },
  { "value", 0, doc = "what is put there" },
  fields,
}

local function limits(argument, list, most)
  local low, high = list[1], list[2]
  if #list ~= 2 or type(low) ~= "number" or type(high) ~= "number"
    or not (low >= 0 and high >= low and high <= most) then
    refuse("random_erasing", argument, "%s is { least, largest }%s", argument,
      most == 1 and ", both from 0 to 1" or ", both above 0")
  end
  return list
end

--- A box of the image set to a value, with probability p.
-- @param o optional { p = 0.5, scale = { 0.02, 0.33 }, ratio = { 0.3, 3.3 }, value = 0 }
function image.random_erasing(...)
  local o = check.call(random_erasing, "random_erasing", ...)
  local ratio = limits("ratio", o.ratio, math.huge)
  if ratio[1] <= 0 then refuse("random_erasing", "ratio", "ratio is above 0") end
  return make("random_erasing", o, { probability = o.p or 0, value = o.value or 0,
    scale = limits("scale", o.scale, 1), ratio = ratio })
end

local resize = {
  { "size", type = { "integer", "list" }, required = true, doc = "n, or { height, width }" },
  fields,
}

--- Another size, bilinear, as F.interpolate does it with align_corners = False.
-- @param size { height, width }, or n: the smaller edge becomes n and the ratio stays
function image.resize(...)
  local o = check.call(resize, "resize", ...)
  local height, width = sizes("resize", o.size)
  return make("resize", o, { height = height, width = width or 0 })
end

return image
