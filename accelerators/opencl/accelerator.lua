--- Devices of OpenCL, GPUs first. None has a priority: plain kernels that run everywhere are no
-- match for a device's own, so only the name chooses them.

local class = require "perilune.class"
local Accelerator = require "perilune.accelerator"

local OpenCLAccelerator = class("OpenCLAccelerator", Accelerator)

OpenCLAccelerator.description = "any device with an OpenCL driver"

function OpenCLAccelerator:name()
  return "opencl"
end

return OpenCLAccelerator
