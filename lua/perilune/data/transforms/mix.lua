--- Transforms of batches that mix each sample with the one before it in the batch (the first one
-- with the last), as torchvision's MixUp and CutMix do. Targets become shares of classes, samples x
-- classes in f32. Random numbers come from `math.random`, which the loader seeds for each batch.

local check = require "perilune.check"
local class = require "perilune.class"
local create = require "perilune.create"
local errors = require "perilune.errors"
local tensor = require "perilune.tensor"

local mix = {}

local options = {
  { "num_classes", type = "integer", min = 1, required = true, doc = "labels are 1 to this" },
  { "alpha", 1, min = 0, doc = "of the Beta distribution that shares are drawn from" },
  { "input", 1, type = { "integer", "string" }, doc = "the batch's field with the samples" },
  { "target", 2, type = { "integer", "string" }, doc = "the batch's field with the labels" },
}

-- The logarithm of a draw of Gamma(a), a > 0 (Marsaglia and Tsang 2000; for a < 1 through a + 1,
-- in logarithms because the draw itself may be below what a double holds).
local function log_gamma_draw(a)
  if a < 1 then return log_gamma_draw(a + 1) + math.log(1 - math.random()) / a end
  local d = a - 1 / 3
  local c = 1 / math.sqrt(9 * d)
  while true do
    local u = 1 - math.random()
    local x = math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * math.random())
    local v = (1 + c * x) ^ 3
    if v > 0 and math.log(1 - math.random()) < 0.5 * x * x + d - d * v + d * math.log(v) then
      return math.log(d * v)
    end
  end
end

-- A draw of Beta(alpha, alpha).
local function beta_draw(alpha)
  return 1 / (1 + math.exp(log_gamma_draw(alpha) - log_gamma_draw(alpha)))
end

-- Row i becomes row i - 1, row 1 the last.
local function rolled(t)
  local n = t:size(1)
  if n == 1 then return t end
  return create.cat({ t:narrow(1, n, 1), t:narrow(1, 1, n - 1) }, 1)
end

local function shares_of(self, target)
  if target.dtype == "f32" and target:dim() == 2 then return target end
  if target:dim() ~= 1 or target.dtype ~= "i64" and target.dtype ~= "i32" then
    errors.raise("shape", ("%s: targets are a list of labels or samples x classes in f32, not %s"
      .. " of shape %s"):format(self.label, target.dtype, table.concat(target.shape, "x")))
  end
  return target:one_hot(self.num_classes):to("f32")
end

local function take(self, batch)
  local input, target = batch[self.input], batch[self.target]
  if not tensor.is_tensor(input) or not tensor.is_tensor(target) then
    errors.raise("argument", ("%s: the batch's fields '%s' and '%s' must be tensors"):format(
      self.label, self.input, self.target))
  elseif input.dtype ~= "f32" and input.dtype ~= "f64" then
    errors.raise("dtype", ("%s takes f32 and f64, not %s; put to_float into the dataset's"
      .. " transform"):format(self.label, input.dtype))
  end
  return input, shares_of(self, target)
end

-- The fields as they are, two others.
local function put(self, batch, input, shares, part)
  batch[self.input] = input
  batch[self.target] = shares * part + rolled(shares) * (1 - part)
  return batch
end

local Mix = class("Mix")

function Mix:init(label, o)
  self.label, self.num_classes, self.alpha = label, o.num_classes, o.alpha
  self.input, self.target = o.input, o.target
  if not (self.alpha and self.alpha > 0) then
    errors.raise("argument", label .. ": alpha must be above 0", { argument = "alpha" })
  end
end

local MixUp = class("MixUp", Mix)

function MixUp:__call(batch)
  local input, shares = take(self, batch)
  local part = beta_draw(self.alpha)
  return put(self, batch, input * part + rolled(input) * (1 - part), shares, part)
end

--- part * x + (1 - part) * neighbour, with part of Beta(alpha, alpha).
-- @param num_classes how many classes there are
-- @param o optional { alpha = 1, input = 1, target = 2 }
function mix.mixup(...)
  return MixUp("mixup", check.call(options, "mixup", ...))
end

local CutMix = class("CutMix", Mix)

-- The first pixel and how many, of an edge around a centre, cut off at the borders.
local function edge(centre, half, size)
  local first, last = math.max(centre - half, 0), math.min(centre + half, size)
  return first, last - first
end

function CutMix:__call(batch)
  local input, shares = take(self, batch)
  if input:dim() < 3 then
    errors.raise("shape", ("cutmix: a batch of images has 3 dimensions or more, not %d"):format(
      input:dim()))
  end
  local height, width = input:size(-2), input:size(-1)
  local reach = 0.5 * math.sqrt(1 - beta_draw(self.alpha))
  local x, w = edge(math.random(0, width - 1), math.floor(reach * width), width)
  local y, h = edge(math.random(0, height - 1), math.floor(reach * height), height)
  local out = input:clone()
  if w > 0 and h > 0 then
    local function window(t) return t:narrow(-2, y + 1, h):narrow(-1, x + 1, w) end
    window(out):copy_(window(rolled(input)))
  end
  return put(self, batch, out, shares, 1 - w * h / (width * height))
end

--- A box of the neighbour's image in place of one's own; targets are shared by area.
-- @param num_classes how many classes there are
-- @param o optional { alpha = 1, input = 1, target = 2 }
function mix.cutmix(...)
  return CutMix("cutmix", check.call(options, "cutmix", ...))
end

return mix
