--- Which accelerator the Trainer's option means: a name, an instance, a class, "auto" or "gpu".
-- Answers an instance that is available, or raises with what there is.

local accelerators = require "perilune.accelerators"
local check = require "perilune.check"
local class = require "perilune.class"
local errors = require "perilune.errors"
local Accelerator = require "perilune.accelerator"

-- Those that `wanted(class)` takes, highest priority first; equal ones by name.
local function candidates(wanted)
  local list = {}
  for _, name in ipairs(accelerators:names()) do
    local c = accelerators:class_of(name)
    if wanted(c) then list[#list + 1] = { name = name, class = c, priority = c.priority or 0 } end
  end
  table.sort(list, function(a, b)
    if a.priority ~= b.priority then return a.priority > b.priority end
    return a.name < b.name
  end)
  return list
end

local function best_available(wanted)
  for _, candidate in ipairs(candidates(wanted)) do
    if candidate.class:is_available() then return accelerators:get(candidate.name) end
  end
end

local function has_priority(c) return c.priority ~= nil end
local function is_gpu(c) return c.is_gpu end

local function available_names()
  local names = {}
  for _, name in ipairs(accelerators:names()) do
    if accelerators:class_of(name):is_available() then names[#names + 1] = name end
  end
  return table.concat(names, ", ")
end

local function refuse(given, reason)
  errors.raise("device", ("accelerator = %s: %s; available here: %s"):format(given, reason,
    available_names()), { argument = "accelerator" })
end

local function check_available(c, given)
  local available, reason = c:is_available()
  if not available then refuse(given, reason or "it is not available on this machine") end
end

local function by_name(name)
  if name == "auto" then
    return best_available(has_priority) or refuse("'auto'", "no accelerator with a priority")
  elseif name == "gpu" then
    return best_available(is_gpu) or refuse("'gpu'", "no GPU that an accelerator here can reach; "
      .. "accelerator = 'cuda' says what one of NVIDIA's would take")
  end
  check_available(accelerators:class_of(name), ("'%s'"):format(name))
  return accelerators:get(name)
end

--- @param value what the Trainer was given
-- @return an instance
return function(value)
  if type(value) == "string" then return by_name(value) end
  local instance = value
  if class.is_class(value) and value:is_a(Accelerator) then instance = value() end
  if not class.is_instance(instance, Accelerator) then
    errors.raise("argument", ("accelerator must be a name, \"auto\", \"gpu\", or an instance or "
      .. "subclass of pl.Accelerator, got %s"):format(check.describe(value)),
      { argument = "accelerator" })
  end
  check_available(getmetatable(instance), class.name_of(instance))
  return instance
end
