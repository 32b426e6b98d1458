--- Methods that draw random numbers: in place, and by probabilities.

local errors = require "perilune.errors"
local check = require "perilune.check"
local ops = require "perilune.ops"

local sampling = {}

local function drawn_like(t, name)
  return ops.functions[name]({ sizes = t.shape, dtype = t.dtype }):to(t.device)
end

--- Uniform numbers in [low, high).
function sampling.uniform_(t, low, high)
  low, high = low or 0, high or 1
  return t:copy_(drawn_like(t, "rand") * (high - low) + low)
end

--- Normal numbers.
function sampling.normal_(t, mean, std)
  return t:copy_(drawn_like(t, "randn") * (std or 1) + (mean or 0))
end

--- 1 with the probability that each element is, else 0.
function sampling.bernoulli(t)
  return drawn_like(t, "rand"):lt(t):to(t.dtype)
end

--- Elements become 1 with probability p, else 0.
function sampling.bernoulli_(t, p)
  return t:copy_(drawn_like(t, "rand"):lt(p or 0.5))
end

local multinomial_options = {
  { "num_samples", type = "integer", min = 1, required = true, doc = "how many to draw" },
  { "replacement", false, doc = "a position may be drawn more than once" },
}

-- Each draw is the number of sums of weights that lie below a uniform number.
local function with_replacement(weights, n)
  local sums = weights:cumsum(-1)
  local total = sums:narrow(-1, sums:size(-1), 1)
  local shape = weights.shape
  shape[#shape] = n
  local uniform = ops.functions.rand({ sizes = shape, dtype = weights.dtype }):to(weights.device)
  local below = sums:unsqueeze(-2):le((uniform * total):unsqueeze(-1))
  local last = weights:gt(0):flip(-1):argmax(-1, true):neg() + weights:size(-1) + 1
  return (below:sum(-1) + 1):minimum(last)
end

-- The n smallest of exponential waiting times with those rates (Efraimidis and Spirakis 2006).
local function without_replacement(weights, n)
  local waiting = (drawn_like(weights, "rand"):neg() + 1):log():neg() / weights
  local _, positions = waiting:sort(-1)
  return positions:narrow(-1, 1, n)
end

--- Positions drawn by weights, the last dimension's: t:multinomial(1) for a sample of a softmax.
-- @return i64, the weights' shape with num_samples in place of the last dimension
function sampling.multinomial(t, ...)
  local o = check.call(multinomial_options, "multinomial", ...)
  if t:dim() == 0 or not t.dtype:find("f") then
    errors.raise("argument", ("multinomial: the weights must be floats with a dimension, got %s")
      :format(check.describe(t)), { op = "multinomial" })
  end
  local some = t:gt(0):sum(-1):min():item()
  local wanted = o.replacement and 1 or o.num_samples
  if some < wanted or t:lt(0):logical_or(t:isfinite():logical_not()):any():item() then
    errors.raise("argument", ("multinomial: the weights must be finite, none negative, and %d of"
      .. " them positive"):format(wanted), { op = "multinomial" })
  end
  if o.replacement then return with_replacement(t, o.num_samples) end
  return without_replacement(t, o.num_samples)
end

return sampling
