--- Undeclared globals: reading one in a user's chunk is an error, assigning declares it.
-- Only chunks of the user are held to it: libraries under /usr, LuaRocks trees and Perilune's own
-- files read missing globals as nil, as they always did.

local errors = require "perilune.errors"
local suggest = require "perilune.suggest"

local strict = {}

local declared = {}
local previous, installed

local library_patterns = { "^@/usr/.-/lua", "^@/usr/bin/", "/%.luarocks/" }

local function is_user_chunk(info)
  if not info or info.what == "C" or errors.is_internal(info.source) then return false end
  for _, pattern in ipairs(library_patterns) do
    if info.source:find(pattern) then return false end
  end
  return true
end

local function read(globals, name)
  local inherited = previous and previous.__index
  if inherited then
    local value
    if type(inherited) == "function" then
      value = inherited(globals, name)
    else
      value = inherited[name]
    end
    if value ~= nil then return value end
  end
  if declared[name] or not is_user_chunk(debug.getinfo(2, "S")) then return nil end
  local hint = name == "pl" and ': write local pl = require "perilune"'
    or suggest.hint(name, suggest.keys(globals))
  errors.raise("user", ("undeclared global '%s'%s"):format(tostring(name), hint),
    { argument = name })
end

local function declare(globals, name, value)
  declared[name] = true
  rawset(globals, name, value)
end

--- Make reading an undeclared global an error.
function strict.on()
  if installed then return end
  previous = getmetatable(_G)
  installed = {}
  for key, value in pairs(previous or {}) do installed[key] = value end
  installed.__index, installed.__newindex = read, declare
  setmetatable(_G, installed)
end

--- End it: globals behave as in plain Lua again.
function strict.off()
  if not installed then return end
  if getmetatable(_G) == installed then setmetatable(_G, previous) end
  previous, installed = nil, nil
end

--- Whether reading an undeclared global is an error now.
function strict.is_on()
  return installed ~= nil
end

--- Declare names that may be nil.
function strict.declare(...)
  for i = 1, select("#", ...) do declared[select(i, ...)] = true end
end

return strict
