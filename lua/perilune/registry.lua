--- Classes by name. An entry is a class, or a function that returns one and is called when the name
-- is first asked for. Lists of names are sorted, so that errors and help read the same every time.

local check = require "perilune.check"
local class = require "perilune.class"
local errors = require "perilune.errors"
local suggest = require "perilune.suggest"

local Registry = class("Registry")

local register_options = {
  { "description", "", doc = "one line, shown in lists" },
  { "override", false, doc = "replace a class of the same name" },
  { "init", type = "table", doc = "the options that get() makes the instance with" },
}

--- @param kind what is registered, in errors: "accelerator"
-- @param kinds several of it
-- @param base the class that all of them extend
function Registry:init(kind, kinds, base)
  self.kind, self.kinds, self.base, self.entries = kind, kinds, base, {}
end

local function check_class(self, name, value)
  if class.is_class(value) and value:is_a(self.base) then return value end
  errors.raise("argument", ("%s '%s': expected a class that extends %s, got %s"):format(self.kind,
    name, class.name_of(self.base), check.describe(value)), { argument = self.kind })
end

--- Make a class known by a name.
-- @param name a string
-- @param value the class, or a function that returns it
-- @param options { description = "one line", override = true, init = { ... } }
-- @return value
-- @raise where the name is taken and `override` is not given
function Registry:register(name, value, options)
  local label = self.kinds .. ":register"
  check.value(label, "name", name, { type = "string" })
  local o = check.call(register_options, label, options)
  if self.entries[name] and not o.override then
    errors.raise("argument", ("%s: '%s' is taken; override = true replaces it"):format(label, name),
      { argument = "name" })
  end
  if type(value) ~= "function" then check_class(self, name, value) end
  self.entries[name] = { value = value, description = o.description or "", init = o.init or nil }
  return value
end

--- The names there are, sorted.
function Registry:names()
  return suggest.keys(self.entries)
end

--- Whether there is such a name.
function Registry:has(name)
  return self.entries[name] ~= nil
end

-- The entry of a name; the error lists what there is.
local function entry_of(self, name)
  local entry = self.entries[name]
  if entry then return entry end
  local names = self:names()
  errors.raise("argument", ("there is no %s '%s'%s; there are %s"):format(self.kind,
    tostring(name), suggest.hint(name, names), table.concat(names, ", ")),
    { argument = self.kind })
end

--- The class of a name.
function Registry:class_of(name)
  local entry = entry_of(self, name)
  if type(entry.value) == "function" then
    entry.value = check_class(self, name, entry.value())
  end
  return entry.value
end

--- A new instance of the class of a name, made with the options it was registered with.
function Registry:get(name)
  local c = self:class_of(name)
  local init = self.entries[name].init
  if init then return c(init) end
  return c()
end

--- Forget a name.
function Registry:remove(name)
  entry_of(self, name)
  self.entries[name] = nil
end

local Names = {}

function Names:__tostring()
  local lines, width = {}, 0
  for _, name in ipairs(self) do width = math.max(width, #name) end
  for i, name in ipairs(self) do
    lines[i] = ("%-" .. width .. "s  %s"):format(name, getmetatable(self).descriptions[i])
  end
  return table.concat(lines, "\n")
end

--- The names, sorted; printed, a line each with its description.
-- @return a list of strings
function Registry:available()
  local names, descriptions = self:names(), {}
  for i, name in ipairs(names) do descriptions[i] = self.entries[name].description end
  return setmetatable(names, { __tostring = Names.__tostring, descriptions = descriptions })
end

function Registry:__tostring()
  return ("%s: %s"):format(self.kinds, table.concat(self:names(), ", "))
end

return Registry
