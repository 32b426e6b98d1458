--- strategy = "single_device": one process, one device.

local class = require "perilune.class"
local Strategy = require "perilune.strategy"

local SingleDeviceStrategy = class("SingleDeviceStrategy", Strategy)

SingleDeviceStrategy.priority = 0

return SingleDeviceStrategy
