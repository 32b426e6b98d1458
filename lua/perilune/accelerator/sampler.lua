--- What a device and this process use, taken by a thread of the engine's, so that asking never
-- waits for the device. Names carry their unit; what is not known is absent.

local ffi = require "ffi"
local class = require "perilune.class"
local engine = require "perilune.engine"

local C = engine.declare "stats.h"

-- field of pl_stats -> name
local names = {
  memory_used = "memory_used_bytes", memory_cached = "memory_cached_bytes",
  memory_peak = "memory_peak_bytes", memory_free = "memory_free_bytes",
  memory_total = "memory_total_bytes", utilization = "utilization_percent",
  temperature = "temperature_celsius", power = "power_watts",
  process_rss = "process_rss_bytes", process_cpu = "process_cpu_percent",
}

local Sampler = class("Sampler")

local handle, stats = ffi.new "pl_sampler *[1]", ffi.new "pl_stats"

--- @param device the engine's name of it
-- @param seconds how often
function Sampler:init(device, seconds)
  engine.check(C.pl_sampler_new(engine.open(device), seconds, handle))
  self.handle = ffi.gc(handle[0], C.pl_sampler_free)
end

--- The newest numbers, by name.
function Sampler:read()
  C.pl_sampler_read(self.handle, stats)
  local values = {}
  for field, name in pairs(names) do
    local value = stats[field]
    if value == value then values[name] = value end
  end
  return values
end

--- End the thread.
function Sampler:stop()
  C.pl_sampler_free(ffi.gc(self.handle, nil))
  self.handle = nil
end

return Sampler
