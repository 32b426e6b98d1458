--- "Did you mean" for methods: Lua's own error for obj:trian() names the method but not the object,
-- so the values that the failing function could reach are asked for a near name.

local class = require "perilune.class"
local suggest = require "perilune.suggest"

-- The names of what can be called on an object or a class, those of its supers too.
local function methods_of(object)
  local names = {}
  local c = class.is_class(object) and object or getmetatable(object)
  while type(c) == "table" do
    for name, value in next, c do
      if type(name) == "string" and type(value) == "function" and name:sub(1, 1) ~= "_" then
        names[#names + 1] = name
      end
    end
    c = rawget(c, "super")
  end
  return names
end

local function closest_in(value, name)
  if class.name_of(value) == type(value) then return nil end
  return suggest.closest(name, methods_of(value))
end

local function in_locals(level, name)
  for i = 1, math.huge do
    local known, value = debug.getlocal(level + 1, i)
    if not known then return nil end
    local best = type(value) == "table" and closest_in(value, name)
    if best then return best end
  end
end

local function in_upvalues(f, name)
  for i = 1, math.huge do
    local known, value = debug.getupvalue(f, i)
    if not known then return nil end
    local best = type(value) == "table" and closest_in(value, name)
    if best then return best end
  end
end

--- The tail of an error's sentence.
-- @param message the error, as Lua wrote it
-- @param level of the function that failed, seen from the caller of this one
-- @return " (did you mean 'train'?)" or ""
return function(message, level)
  local name = message:match("attempt to call method '([%w_]+)' %(a nil value%)$")
  local info = name and debug.getinfo(level + 1, "f")
  local best = info and (in_locals(level + 1, name) or in_upvalues(info.func, name))
  return best and (" (did you mean '%s'?)"):format(best) or ""
end
