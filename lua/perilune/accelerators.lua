--- pl.accelerators: the accelerators there are, by name. One is known by being registered, by the
-- accelerator.lua in its folder, or by its library alone (accelerator/search.lua says where); what
-- a script registers goes before what is found. Folders are looked at when first needed.

local class = require "perilune.class"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local search = require "perilune.accelerator.search"
local suggest = require "perilune.suggest"
local unreachable = require "perilune.accelerator.unreachable"
local Accelerator = require "perilune.accelerator"
local Registry = require "perilune.registry"

local AcceleratorRegistry = class("AcceleratorRegistry", Registry)

local keywords = { auto = true, gpu = true }

function AcceleratorRegistry:init()
  Registry.init(self, "accelerator", "accelerators", Accelerator)
  self.searched, self.finding, self.removed, self.broken = false, false, {}, {}
end

--- Make an accelerator known: pl.accelerators:register("xpu", XPUAccelerator, { ... }).
-- @param name how the Trainer is asked for it; not "auto" or "gpu"
-- @param value a class that extends pl.Accelerator, or a function that returns it
-- @param options { description = "one line", override = true, init = { ... } }; `init` is what the
--   class is called with
-- @return value
function AcceleratorRegistry:register(name, value, options)
  if keywords[name] then
    errors.raise("argument", ("accelerators:register: '%s' is a word of the Trainer's")
      :format(name), { argument = "name" })
  end
  if self.finding and (self.entries[name] or self.removed[name]) then return value end
  self.removed[name] = nil
  return Registry.register(self, name, value, options)
end

local function take(self, load, from)
  self.finding = true
  local ok, c = xpcall(load, errors.handler, from)
  if ok and c then
    ok, c = xpcall(c.register_accelerators, errors.handler, c, self)
  end
  self.finding = false
  return ok, c
end

-- A library without a Lua class is driven by the base class.
local function register_library(self, name)
  if self.entries[name] or self.removed[name] then return end
  Registry.register(self, name, function()
    local Plain = class(name, Accelerator)
    function Plain.name() return name end
    return Plain
  end, { description = "a library without accelerator.lua" })
end

-- A file that fails is said once and does not keep the others from being found.
local function find_all(self)
  if self.searched then return end
  self.searched = true
  for _, path in ipairs(search.files()) do
    local ok, err = take(self, search.load, path)
    if not ok then
      local name = path:match("([^/]+)/accelerator%.lua$") or path
      self.broken[name] = err
      io.stderr:write(("perilune: accelerator '%s' is left out: %s\n"):format(name, tostring(err)))
    end
  end
  for _, name in ipairs(engine.available()) do
    if not self.broken[name] then register_library(self, name) end
  end
end

--- The names there are, sorted.
function AcceleratorRegistry:names()
  find_all(self)
  return Registry.names(self)
end

local function raise_unknown(self, name)
  local names = self:names()
  local there = "here there are " .. table.concat(names, ", ")
  local needs = unreachable.explain(name)
  if needs then
    errors.raise("device", ("accelerator = '%s': %s; %s"):format(name, needs, there),
      { argument = "accelerator" })
  end
  local candidates = unreachable.names()
  for _, known in ipairs(names) do candidates[#candidates + 1] = known end
  for keyword in pairs(keywords) do candidates[#candidates + 1] = keyword end
  errors.raise("argument", ("there is no accelerator '%s'%s; %s; it would be an accelerator.lua in "
    .. "a folder that PERILUNE_ACCELERATORS names, or a module perilune_accelerator_%s"):format(
    name, suggest.hint(name, candidates), there, name), { argument = "accelerator" })
end

--- Whether there is an accelerator of that name; looks for one.
function AcceleratorRegistry:has(name)
  if self.entries[name] then return true end
  find_all(self)
  if self.entries[name] or self.removed[name] then return self.entries[name] ~= nil end
  if self.broken[name] then error(self.broken[name], 0) end
  local ok, err = take(self, search.module, name)
  if not ok then error(err, 0) end
  return self.entries[name] ~= nil
end

--- The class of a name.
-- @raise where there is none: what it would take, what was meant, what there is
function AcceleratorRegistry:class_of(name)
  if not self:has(name) then raise_unknown(self, tostring(name)) end
  return Registry.class_of(self, name)
end

--- Forget an accelerator, one that would be found as well.
function AcceleratorRegistry:remove(name)
  if not self:has(name) then raise_unknown(self, tostring(name)) end
  Registry.remove(self, name)
  self.removed[name] = true
end

--- The names of all accelerators, sorted; printed, a line each with its description.
-- @return a list of strings
function AcceleratorRegistry:available_accelerators()
  find_all(self)
  return self:available()
end

return AcceleratorRegistry()
