--- The CPU. `devices = n` means n processes that share its cores, so ids only number them and
-- there is no last one.

local class = require "perilune.class"
local devices = require "perilune.accelerator.devices"
local Accelerator = require "perilune.accelerator"

local CPUAccelerator = class("CPUAccelerator", Accelerator)

CPUAccelerator.description = "the processor's cores"
CPUAccelerator.priority = 0

function CPUAccelerator:name()
  return "cpu"
end

function CPUAccelerator:auto_device_count()
  return 1
end

function CPUAccelerator:parse_devices(value)
  return devices.parse("cpu", value, math.huge, 1)
end

function CPUAccelerator:get_parallel_devices(ids)
  local names = {}
  for i in ipairs(ids) do names[i] = "cpu" end
  return names
end

return CPUAccelerator
