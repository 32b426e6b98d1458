--- From the Trainer's options accelerator, devices, strategy and precision to the one object that
-- the Trainer talks to, a connected strategy.

local check = require "perilune.check"
local choose_accelerator = require "perilune.accelerator.choose"
local class = require "perilune.class"
local errors = require "perilune.errors"
local precisions = require "perilune.precisions"
local strategies = require "perilune.strategies"

-- The names of the devices that are meant. Nothing said is all, but one where no strategy is there
-- for all.
local function devices_of(accelerator, value)
  local c = getmetatable(accelerator)
  if value == nil or value == "auto" then
    local all = c:auto_device_count()
    value = (value == "auto" or strategies:best_for(all)) and all or 1
  end
  local names = c:get_parallel_devices(c:parse_devices(value))
  if type(names) ~= "table" or type(names[1]) ~= "string" then
    errors.raise("user", ("%s:get_parallel_devices must return a list of device names, got %s")
      :format(class.name_of(c), check.describe(names)))
  end
  return names
end

-- A name, an instance or a class, as an instance.
local function instance_of(registry, option, value)
  if type(value) == "string" or type(value) == "number" then
    return registry:get(tostring(value))
  end
  local instance = class.is_class(value) and value:is_a(registry.base) and value() or value
  if class.is_instance(instance, registry.base) then return instance end
  errors.raise("argument", ("%s must be a name, or an instance or subclass of pl.%s, got %s; the "
    .. "names are %s"):format(option, class.name_of(registry.base), check.describe(value),
    table.concat(registry:names(), ", ")), { argument = option })
end

local function strategy_of(value, devices)
  local count = #devices
  if value == nil or value == "auto" then value = strategies:best_for(count) or "single_device" end
  local strategy = instance_of(strategies, "strategy", value)
  if strategy:accepts(count) then return strategy end
  errors.raise("argument", ("strategy = %s cannot use %d devices (%s): give it one, or name a "
    .. "strategy for several (there are %s)"):format(type(value) == "string"
    and ("'%s'"):format(value) or class.name_of(strategy), count, table.concat(devices, ", "),
    table.concat(strategies:names(), ", ")), { argument = "strategy" })
end

--- @param o the checked options of a Trainer
-- @return a strategy, connected to accelerator, precision and devices
return function(o)
  local accelerator = choose_accelerator(o.accelerator == nil and "auto" or o.accelerator)
  local devices = devices_of(accelerator, o.devices)
  local precision = instance_of(precisions, "precision", o.precision == nil and "32" or o.precision)
  local strategy = strategy_of(o.strategy, devices)
  strategy:connect(accelerator, precision, devices)
  return strategy
end
