--- WeightedRandomSampler(weights, num_samples): samples drawn as often as their weights say, from
-- (seed, epoch). Weights need not add up to 1.

local ffi = require "ffi"
local check = require "perilune.check"
local class = require "perilune.class"
local errors = require "perilune.errors"
local Sampler = require "perilune.data.sampler"
local uniform = require "perilune.data.uniform"

local WeightedRandomSampler = class("WeightedRandomSampler", Sampler)

WeightedRandomSampler.options = {
  { "weights", type = { "list", "tensor" }, required = true, doc = "of each sample, 0 or more" },
  { "num_samples", type = "integer", min = 1, required = true, doc = "of a pass" },
  { "replacement", true, doc = "false: a sample comes at most once" },
}

local function refuse(message, ...)
  errors.raise("argument", ("WeightedRandomSampler: " .. message):format(...),
    { argument = "weights" })
end

local function check_weights(weights)
  local positive = 0
  for i, weight in ipairs(weights) do
    if type(weight) ~= "number" or not (weight >= 0 and weight < math.huge) then
      refuse("weight %d must be a number, 0 or more, got %s", i, check.describe(weight))
    end
    if weight > 0 then positive = positive + 1 end
  end
  if positive == 0 then refuse("some weight must be above 0") end
  return positive
end

function WeightedRandomSampler:init(o)
  o = WeightedRandomSampler:check(o)
  self.weights = check.is_tensor(o.weights) and o.weights:totable() or o.weights
  if type(self.weights) ~= "table" then refuse("weights are a list") end
  local positive = check_weights(self.weights)
  if not o.replacement and positive < o.num_samples then
    refuse("%d samples without replacement, but only %d have a weight above 0", o.num_samples,
      positive)
  end
  self.num_samples, self.replacement = o.num_samples, o.replacement
end

function WeightedRandomSampler:size()
  return self.num_samples
end

-- The first place whose running total is above x.
local function find(totals, n, x)
  local low, high = 0, n - 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if totals[middle] > x then high = middle else low = middle + 1 end
  end
  return low
end

-- The place of the last weight above 0, where rounding could lead beyond it.
local function draw(self, out, next_number)
  local n, total, last = #self.weights, 0, 0
  local totals = ffi.new("double[?]", n)
  for i, weight in ipairs(self.weights) do
    total = total + weight
    totals[i - 1] = total
    if weight > 0 then last = i - 1 end
  end
  for k = 0, self.num_samples - 1 do
    out[k] = math.min(find(totals, n, next_number() * total), last)
  end
end

-- The least of exponential draws, as torch.multinomial: -log(u) / weight in rising order.
local function draw_once(self, out, next_number)
  local entries = {}
  for i, weight in ipairs(self.weights) do
    local number = 1 - next_number()
    if weight > 0 then entries[#entries + 1] = { -math.log(number) / weight, i - 1 } end
  end
  table.sort(entries, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  for k = 0, self.num_samples - 1 do out[k] = entries[k + 1][2] end
end

function WeightedRandomSampler:fill(out, seed, epoch)
  local step = self.replacement and draw or draw_once
  step(self, out, uniform(seed, epoch))
end

return WeightedRandomSampler
