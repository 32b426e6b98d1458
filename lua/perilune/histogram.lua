--- Histograms of tensors, counted where the tensor is; only the counts are read.

local context = require "perilune.context"
local create = require "perilune.create"

local function is_finite(x) return x - x == 0 end

local function edges_of(low, high, bins)
  local edges = {}
  for i = 0, bins do edges[i + 1] = low + (high - low) * i / bins end
  return edges
end

local function counts_of(x, low, high, bins)
  local position = ((x - low) * (bins / (high - low))):clamp(0, bins - 1):to("i64")
  local counts = create.zeros({ bins }, { dtype = "f64", device = x.device })
  local ones = create.ones({ x:numel() }, { dtype = "f64", device = x.device })
  return counts:scatter_add(ones, position + 1, 1):totable()
end

local function histogram(t, bins)
  local x = t:detach():reshape(-1):to("f64")
  if x:numel() == 0 then return { counts = {}, edges = {} } end
  local low, high = x:min():item(), x:max():item()
  if not (is_finite(low) and is_finite(high)) then return { counts = {}, edges = {} } end
  if low == high then low, high = low - 0.5, high + 0.5 end
  return { counts = counts_of(x, low, high, bins), edges = edges_of(low, high, bins) }
end

--- How many elements lie between equally spaced edges, as numpy.histogram: each bin has its lower
-- edge, the last one both.
-- @param t tensor
-- @param bins how many
-- @return { counts = bins numbers, edges = bins + 1 numbers }; both empty where an element is not
--   finite or there is none
return function(t, bins)
  return context.scope(context.no_grad, histogram, t, bins)
end
