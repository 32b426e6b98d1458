--- What hardware a run uses: the base class of accelerators. A subclass needs a `name`; the rest
-- is what a device of the engine (libperilune_<name>.so) answers, and is overridden where a device
-- knows better. Methods that need no instance are called with the class as `self`.
--
-- The life of an accelerator, in order:
--
--     Trainer{...}    is_available, auto_device_count (devices = "auto"), parse_devices,
--                     get_parallel_devices: on the class
--     each run        setup_device, before data and state are prepared
--                     setup, once they are and before modules move to the device
--                     get_device_stats, whenever somebody asks
--                     teardown, at the end of everything, also of what failed

local class = require "perilune.class"
local devices = require "perilune.accelerator.devices"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local Sampler = require "perilune.accelerator.sampler"

local Accelerator = class("Accelerator")

--- One line about the hardware, shown in lists.
Accelerator.description = ""

--- A number makes it a candidate for accelerator = "auto", where the available one with the
-- highest is taken. Without it an accelerator is used only where it is named.
Accelerator.priority = nil

--- Whether accelerator = "gpu" may mean it.
Accelerator.is_gpu = false

function Accelerator:init() end

--- The name it is registered and found by, that of its library: "cuda".
function Accelerator:name()
  errors.raise("user", ("%s needs a method name() that returns its accelerator's name")
    :format(class.name_of(self)))
end

--- Whether this machine can run it: asked by the Trainer, and by "auto" and "gpu".
-- @return a boolean, and where it is false why, as the end of a sentence
function Accelerator:is_available()
  local ok, count = pcall(engine.device_count, self:name())
  if not ok then return false, count.message or tostring(count) end
  if count > 0 then return true end
  local opened, err = pcall(engine.open, self:name()) -- the device may know the reason
  return false, not opened and err.message
    or ("no device of accelerator '%s' was found"):format(self:name())
end

--- How many devices there are, which is what devices = "auto" and -1 use.
function Accelerator:auto_device_count()
  return engine.device_count(self:name())
end

--- What the user means by `devices`. Every accelerator has the same forms: "auto" and -1 (all), n
-- or "n" (the first n), "n," (the one with id n), "0,1" or { 0, 1 } (these ids).
-- @return a list of ids, from 0
-- @raise for anything else, saying which devices there are
function Accelerator:parse_devices(value)
  return devices.parse(self:name(), value, self:auto_device_count())
end

--- The engine's names of devices.
-- @param ids what parse_devices returned
-- @return a list of names: "cuda:0"
function Accelerator:get_parallel_devices(ids)
  local names = {}
  for i, id in ipairs(ids) do names[i] = ("%s:%d"):format(self:name(), id) end
  return names
end

--- Make a device ready, at the start of every run and in every process, before data and state are
-- prepared. Raise here for a device that cannot be used.
-- @param device its name: "cuda:0"
function Accelerator:setup_device(device)
  engine.open(device)
end

--- Called once in a run, when data and state are prepared, before modules move to the device.
function Accelerator:setup(_) end

--- Seconds between two takings of statistics.
Accelerator.stats_seconds = 1

--- What a device and this process use: numbers by names that carry their unit. The first question
-- starts a thread that takes them until teardown, so that asking waits for nothing; loads are means
-- over the time between two takings, so the first answer may lack them.
-- @param device its name: "cuda:0"
-- @return { memory_used_bytes =, memory_peak_bytes =, ... }; what is not known is absent
function Accelerator:get_device_stats(device)
  self.samplers = self.samplers or {}
  local sampler = self.samplers[device]
  if not sampler then
    sampler = Sampler(device, self.stats_seconds)
    self.samplers[device] = sampler
  end
  return sampler:read()
end

--- Give back what setup_device and setup took. Called once at the end of every run, failed ones
-- included, even if setup_device was what failed. One of your own calls this one too.
function Accelerator:teardown()
  for _, sampler in pairs(self.samplers or {}) do sampler:stop() end
  self.samplers = nil
end

--- Make the accelerator known. Called once by whoever found its file; a class may register itself
-- under several names, or with options.
-- @param registry pl.accelerators
function Accelerator:register_accelerators(registry)
  registry:register(self:name(), self, { description = self.description })
end

return Accelerator
