--- pl.precisions: the values of the Trainer's `precision`, by name; a number is its text, and
-- "32-true" is "32".

local class = require "perilune.class"
local Precision = require "perilune.precision"
local Registry = require "perilune.registry"

local PrecisionRegistry = class("PrecisionRegistry", Registry)

function PrecisionRegistry:init()
  Registry.init(self, "precision", "precisions", Precision)
end

--- The class of a name.
function PrecisionRegistry:class_of(name)
  return Registry.class_of(self, (tostring(name):gsub("%-true$", "")))
end

--- A new instance of the class of a name.
function PrecisionRegistry:get(name)
  return Registry.get(self, (tostring(name):gsub("%-true$", "")))
end

--- The names of all precisions, sorted; printed, a line each with its description.
-- @return a list of strings
function PrecisionRegistry:available_precisions()
  return self:available()
end

local precisions = PrecisionRegistry()

precisions:register("32", Precision, { description = "what the model and the data are, f32" })
precisions:register("64", function() return require "perilune.precision.double" end,
  { description = "model and data in f64" })
precisions:register("bf16", function() return require "perilune.precision.half" end,
  { description = "model and data in bf16", init = { dtype = "bf16" } })
precisions:register("16", function() return require "perilune.precision.half" end,
  { description = "model and data in f16", init = { dtype = "f16" } })
precisions:register("bf16-mixed", function() return require "perilune.precision.mixed" end,
  { description = "weights in f32, products in bf16 by autocast" })
precisions:register("16-mixed", function() return require "perilune.precision.scaled" end,
  { description = "weights in f32, products in f16 by autocast, scaled losses" })

return precisions
