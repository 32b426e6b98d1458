--- The device that computes nothing. It has no priority: only its name chooses it.

local class = require "perilune.class"
local Accelerator = require "perilune.accelerator"

local NullAccelerator = class("NullAccelerator", Accelerator)

NullAccelerator.description = "shapes and errors only, every value is zero"

function NullAccelerator:name()
  return "null"
end

return NullAccelerator
