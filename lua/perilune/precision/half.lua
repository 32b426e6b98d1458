--- precision = "bf16" and "16": parameters, batches and all that is made of them in a half type.
-- Half the memory of f32; sums are made in f32, but an update smaller than 2^-8 (bf16) or 2^-11
-- (f16) of a weight is lost.

local batches = require "perilune.data.batch"
local class = require "perilune.class"
local Precision = require "perilune.precision"

local HalfPrecision = class("HalfPrecision", Precision)

HalfPrecision.options = {
  { "dtype", "bf16", choices = { "bf16", "f16" }, doc = "the half type" },
}

function HalfPrecision:init(o)
  self.dtype = HalfPrecision:check(o).dtype
end

function HalfPrecision:convert_module(module)
  module:to(self.dtype)
end

function HalfPrecision:convert_batch(batch)
  return batches.to_dtype(batch, self.dtype)
end

return HalfPrecision
