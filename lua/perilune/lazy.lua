--- Namespaces that load their members on first use: nn.Linear comes from perilune/nn/linear.lua.
-- A file returns its class, function or a table that holds several names; a new file needs no
-- entry anywhere. Reading a name that does not exist is an error with "did you mean".

local errors = require "perilune.errors"
local suggest = require "perilune.suggest"

--- CamelCase to snake_case: CrossEntropyLoss -> cross_entropy_loss, MSELoss -> mse_loss.
local function snake_case(name)
  local spaced = name:gsub("(%l)(%u)", "%1_%2"):gsub("(%u)(%u%l)", "%1_%2")
  return spaced:lower()
end

local function camel_case(name)
  return (name:gsub("^%l", string.upper):gsub("_(%w)", string.upper))
end

--- The module names in the folder of a namespace, as far as lua-filesystem can tell.
local function files_of(prefix)
  local found = {}
  local has_lfs, lfs = pcall(require, "lfs")
  if not has_lfs then return found end
  local path = prefix:gsub("%.", "/")
  for root in package.path:gmatch("([^;]+)%?%.lua") do
    if lfs.attributes(root .. path, "mode") == "directory" then
      for entry in lfs.dir(root .. path) do
        local name = entry:match("^([%w_]+)%.lua$")
        if name and name ~= "init" then found[#found + 1] = name end
      end
    end
  end
  return found
end

local function candidates(prefix, space, names, wanted)
  local list = suggest.keys(space)
  for _, name in ipairs(suggest.keys(names)) do list[#list + 1] = name end
  local camel = wanted:match("^%u") ~= nil
  for _, name in ipairs(files_of(prefix)) do
    list[#list + 1] = camel and camel_case(name) or name
  end
  return list
end

--- What a file gives for a name: the entry of that name if it returned a table of several.
local function pick(module, name)
  if type(module) == "table" then
    local member = rawget(module, name)
    if member ~= nil then return member end
  end
  return module
end

--- Make a lazy namespace.
-- @param prefix the module prefix, "perilune.nn"
-- @param names optional { ReLU = "activations" }: which file of the folder holds a name whose
--   snake_case is not its file
-- @return a table; fields may also be set in it
local function lazy(prefix, names)
  names = names or {}
  local short = prefix:match("([^.]+)$")
  local function index(space, name)
    if type(name) ~= "string" then return nil end
    local file = prefix .. "." .. (names[name] or snake_case(name))
    if not package.loaded[file] and not package.searchpath(file, package.path)
      and not package.preload[file] then
      local hint = suggest.hint(name, candidates(prefix, space, names, name))
      errors.raise("argument", ("%s has no '%s'%s"):format(short, name, hint),
        { argument = name })
    end
    local member = pick(require(file), name)
    rawset(space, name, member)
    return member
  end
  return setmetatable({}, { __index = index })
end

return lazy
