--- Classes: `local Linear = class("Linear", Module)`, instances by calling the class.
-- A class is a table and the metatable of its instances. Methods are found along the chain of
-- supers, so later additions to a base are seen; metamethods are copied at definition. There is
-- no registry: defining a class again makes another one. A class with `options` at or below its
-- `init` has its arguments checked, and `init(self, options)` gets one table (see check.lua).

local rawget, setmetatable, getmetatable, type = rawget, setmetatable, getmetatable, type

local class = {}
-- class -> its name, which may have a method or a field `name` of its own
local names = setmetatable({}, { __mode = "k" })
local Object = { name = "Object" }
Object.__index = Object

--- Whether a value is a class made here.
function class.is_class(value)
  return names[value] ~= nil
end

--- Whether a value is an instance of a class or of one of its subclasses.
function class.is_instance(value, of)
  local c = type(value) == "table" and getmetatable(value) or nil
  while type(c) == "table" do
    if c == of then return true end
    c = rawget(c, "super")
  end
  return false
end

--- The name of a value's class, or its Lua type for what is no instance.
function class.name_of(value)
  local c = type(value) == "table" and getmetatable(value) or nil
  return names[value] or names[c] or type(value)
end

local function has_own(c, key)
  return rawget(c, key) ~= nil
end

--- Whether calling `c` checks its arguments: an options list is met no later than an init.
local function takes_options(c)
  while c do
    if has_own(c, "options") then return true end
    if has_own(c, "init") then return false end
    c = rawget(c, "super")
  end
  return false
end

local function construct(c, ...)
  local object = setmetatable({}, c)
  if takes_options(c) then
    c.init(object, c:check(...))
  else
    c.init(object, ...)
  end
  return object
end

local function describe(c)
  return "class " .. names[c]
end

local function define(_, name, super)
  if type(name) ~= "string" then error("class: the first argument is the class's name", 3) end
  if super ~= nil and not names[super] then
    error(("class: the super class of '%s' must be a class, got %s"):format(name, type(super)), 3)
  end
  super = super or Object
  local c = {}
  for key, value in pairs(super) do
    if type(key) == "string" and key:sub(1, 2) == "__" then c[key] = value end
  end
  c.super = super
  if type(super.name) ~= "function" then c.name = name end   -- a method name() is inherited
  names[c] = name
  if super.__index == super then c.__index = c end
  return setmetatable(c, { __index = super, __call = construct, __tostring = describe })
end

--- Classes without an init of their own take what their options list declares, as fields.
function Object:init(...)
  for key, value in pairs(getmetatable(self):check(...)) do self[key] = value end
end

--- Whether an instance, or a class itself, belongs to a class.
function Object:is_a(of)
  local c = names[self] and self or getmetatable(self)
  while c do
    if c == of then return true end
    c = rawget(c, "super")
  end
  return false
end

--- `Base:extend("Name")` is `class("Name", Base)`.
function Object:extend(name)
  return define(class, name, self)
end

--- Check arguments against the class's merged options list; the result is idempotent.
function Object:check(...)
  return require("perilune.check").class(names[self] and self or getmetatable(self), ...)
end

function Object:__tostring()
  return class.name_of(self)
end

names[Object] = "Object"
setmetatable(Object, { __call = construct, __tostring = describe })
class.Object = Object

return setmetatable(class, { __call = define })
