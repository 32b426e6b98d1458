--- Namespaces that load their members on first use: nn.Linear comes from perilune/nn/linear.lua.
-- A file returns its class, function or a table that holds several names; a new file needs no
-- entry anywhere. Reading a name that does not exist is an error with "did you mean".

local class = require "perilune.class"
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

--- The name under which a file's content is known: its class's, else the file's own.
local function name_in(prefix, file)
  local ok, module = pcall(require, prefix .. "." .. file)
  return ok and class.is_class(module) and class.name_of(module) or file
end

-- All names of a namespace; those of its files as their content is known.
local function all_names(prefix, space, names)
  local list = suggest.keys(space)
  for _, name in ipairs(suggest.keys(names)) do list[#list + 1] = name end
  for _, file in ipairs(files_of(prefix)) do
    local name = name_in(prefix, file)
    if rawget(space, name) == nil then list[#list + 1] = name end
  end
  return list
end

local function raise_unknown(prefix, space, names, wanted)
  local list, file_of = suggest.keys(space), {}
  for _, name in ipairs(suggest.keys(names)) do list[#list + 1] = name end
  for _, file in ipairs(files_of(prefix)) do
    local name = wanted:match("^%u") and camel_case(file) or file
    file_of[name] = file
    list[#list + 1] = name
  end
  local best = suggest.closest(wanted, list)
  local meant = file_of[best] and name_in(prefix, file_of[best]) or best
  local hint = meant and (" (did you mean '%s'?)"):format(meant) or ""
  errors.raise("argument", ("%s has no '%s'%s"):format(prefix:match("([^.]+)$"), wanted, hint),
    { argument = wanted })
end

--- What a file gives for a name: the entry of that name if it returned a table of several, else
-- what it returned, unless that is a class of another name (optim.Sgd finds sgd.lua, but no Sgd).
local function pick(module, name, listed)
  if type(module) ~= "table" then return module end
  local member = rawget(module, name)
  if member ~= nil then return member end
  if listed then return module end
  if class.is_class(module) then return class.name_of(module) == name and module or nil end
  local is_namespace = getmetatable(module) == nil
  return not (is_namespace and name:find("%u")) and module or nil
end

--- Make a lazy namespace.
-- @param prefix the module prefix, "perilune.nn"
-- @param names optional { ReLU = "activations" }: which file of the folder holds a name whose
--   snake_case is not its file
-- @return a table; fields may also be set in it
local function lazy(prefix, names)
  names = names or {}
  local function index(space, name)
    if type(name) ~= "string" then return nil end
    local file, member = prefix .. "." .. (names[name] or snake_case(name)), nil
    if package.loaded[file] or package.preload[file] or package.searchpath(file, package.path) then
      member = pick(require(file), name, names[name])
    end
    if member == nil then raise_unknown(prefix, space, names, name) end
    rawset(space, name, member)
    return member
  end
  return setmetatable({}, { __index = index,
    __names = function(space) return all_names(prefix, space, names) end })
end

return lazy
