--- Where accelerators lie that nobody has registered: the files accelerator.lua of devices'
-- folders. PERILUNE_ACCELERATORS names folders, separated by ':', each a device's own or one that
-- holds such folders by name; then come those beside the engine. A file returns the class.

local class = require "perilune.class"
local errors = require "perilune.errors"
local paths = require "perilune.paths"

local search = {}

local FILE = "/accelerator.lua"

local function folders()
  local list = {}
  for folder in (os.getenv "PERILUNE_ACCELERATORS" or ""):gmatch("[^:]+") do
    list[#list + 1] = folder
  end
  list[#list + 1] = (os.getenv "PERILUNE_LIB" or paths.lib) .. "/accelerators"
  return list
end

local function exists(path)
  local file = io.open(path, "r")
  if file then file:close() end
  return file ~= nil
end

local function folders_in(folder)
  local lfs = require "lfs"
  local names = {}
  if lfs.attributes(folder, "mode") ~= "directory" then return names end
  for name in lfs.dir(folder) do
    if name ~= "." and name ~= ".." then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

--- The files of all devices, those that go before others first.
-- @return a list of paths
function search.files()
  local found = {}
  for _, folder in ipairs(folders()) do
    if exists(folder .. FILE) then found[#found + 1] = folder .. FILE end
    for _, name in ipairs(folders_in(folder)) do
      local path = folder .. "/" .. name .. FILE
      if exists(path) then found[#found + 1] = path end
    end
  end
  return found
end

local function check_class(value, where)
  if class.is_class(value) and value.register_accelerators then return value end
  errors.raise("user", where .. ": must return a class that extends pl.Accelerator")
end

--- The class that a file returns.
-- @raise the file's own error, or one that says what is wrong with it
function search.load(path)
  local chunk, reason = loadfile(path)
  if not chunk then errors.raise("user", "accelerator: " .. reason) end
  return check_class(chunk(), path)
end

--- The class of a Lua module on package.path that is named after an accelerator:
-- perilune_accelerator_<name>, or accelerators/<name>/accelerator.lua.
-- @return the class, or nil where there is no such module
function search.module(name)
  if not name:find("^[%w_%-]+$") then return nil end
  for _, pattern in ipairs{ "perilune_accelerator_%s", "accelerators.%s.accelerator" } do
    local module = pattern:format(name)
    if package.loaded[module] or package.preload[module]
      or package.searchpath(module, package.path) then
      return check_class(require(module), module)
    end
  end
end

return search
