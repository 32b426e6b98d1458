--- precision = "64": modules and batches in f64.

local batches = require "perilune.data.batch"
local class = require "perilune.class"
local Precision = require "perilune.precision"

local DoublePrecision = class("DoublePrecision", Precision)

function DoublePrecision:convert_module(module)
  module:to("f64")
end

function DoublePrecision:convert_batch(batch)
  return batches.to_dtype(batch, "f64")
end

return DoublePrecision
