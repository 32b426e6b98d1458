--- A state on the disk: a directory with the weights (model.safetensors), all other tensors
-- (state.safetensors) and the rest (state.json). A saver writes it under a temporary name, and it
-- takes its own when every byte is on the disk. These three names are all that is ever opened in
-- it.

local lfs = require "lfs"
local codec = require "perilune.state.codec"
local errors = require "perilune.errors"
local names = require "perilune.state.names"
local safetensors = require "perilune.safetensors"

local directory = {}

local WEIGHTS, TENSORS, REST = "model.safetensors", "state.safetensors", "state.json"

local function fail(path, reason)
  errors.raise("io", ("cannot write %s: %s"):format(path, reason), { argument = "path" })
end

--- Make a directory and those above it.
function directory.make(path)
  if lfs.attributes(path, "mode") == "directory" then return end
  local parent = path:match("^(.*[^/])/+[^/]+/*$")
  if parent then directory.make(parent) end
  local ok, reason = lfs.mkdir(path)
  if not ok and lfs.attributes(path, "mode") ~= "directory" then
    fail(path, (tostring(reason):gsub("^.*: ", "")))
  end
end

-- What a process left that was killed while it saved: "<name>.<pid>.tmp" of one that is no more.
local function clear_remains(parent, saver)
  for name in lfs.dir(parent) do
    local pid = name:match("%.(%d+)%.tmp$")
    if pid and not lfs.attributes("/proc/" .. pid, "mode") then
      local path = parent .. "/" .. name
      if lfs.attributes(path, "mode") == "directory" then directory.remove(path, saver) end
    end
  end
end

--- Take a state away, or a file; files that are not ours stay, and with them their directory.
-- @param saver who does it
function directory.remove(path, saver)
  saver:remove(path, { REST, TENSORS, WEIGHTS })
end

-- The new directory takes the place of the old one, and what else was in it would be gone.
local function check_only_ours(path)
  for name in lfs.dir(path) do
    local whole = name:gsub("%.%d+%.tmp$", "")
    if whole ~= REST and whole ~= TENSORS and whole ~= WEIGHTS and not name:find("^%.%.?$") then
      fail(path, ("it has other files in it ('%s'); give a directory of its own"):format(name))
    end
  end
end

--- Write a state, whole or not at all.
-- @param path the directory, made or replaced
-- @param weights the model's state_dict
-- @param state all the rest, as codec.lua takes it
-- @param saver who does it
-- @param when_over when_over(err), as the saver calls it
-- @raise kind "io" when there is no place for it
function directory.write(path, weights, state, saver, when_over)
  path = path:gsub("(.)/+$", "%1")
  local parent = path:match("^(.*)/[^/]*$") or "."
  parent = parent == "" and "/" or parent
  directory.make(parent)
  local mode = lfs.attributes(path, "mode")
  if mode and mode ~= "directory" then fail(path, "a file of that name is in the way") end
  if mode then check_only_ours(path) end
  clear_remains(parent, saver)
  local text, tensors = codec.encode(state, "state")
  saver:save(path, {
    { name = WEIGHTS, tensors = names.to_file(weights), metadata = { format = "pt" } },
    { name = TENSORS, tensors = tensors },
    { name = REST, text = text },
  }, when_over)
end

local function read_file(path)
  local file, reason = io.open(path, "rb")
  if not file then errors.raise("io", "cannot open " .. reason, { argument = "path" }) end
  local text = file:read("*a")
  file:close()
  if not text then errors.raise("io", "cannot read " .. path, { argument = "path" }) end
  return text
end

--- Is there a complete state?
function directory.is_state(path)
  return lfs.attributes(path .. "/" .. REST, "mode") == "file"
end

local function located(path, f, ...)
  local ok, result = xpcall(f, errors.handler, ...)
  if ok then return result end
  if result.kind == "format" and not result.message:find(path, 1, true) then
    result.message = ("%s: %s"):format(path, result.message)
  end
  error(result, 0)
end

--- Read what a state is about without its tensors.
-- @return the table `summary` of the state
function directory.read_summary(path)
  return located(path, function()
    local plain = require("perilune.json_reader").decode(read_file(path .. "/" .. REST))
    local summary = type(plain) == "table" and plain.summary
    if type(summary) ~= "table" then errors.raise("format", "the state is damaged: no summary") end
    return codec.decode_plain(summary)
  end)
end

--- Read a state.
-- @return the weights, as load_state_dict takes them
-- @return all the rest
-- @raise kind "io" or "format"
function directory.read(path)
  if not directory.is_state(path) then
    errors.raise("io", ("%s is no training state: it has no %s"):format(path, REST),
      { argument = "path" })
  end
  local weights = names.from_file(safetensors.load(path .. "/" .. WEIGHTS))
  local tensors = safetensors.load(path .. "/" .. TENSORS)
  local state = located(path, codec.decode, read_file(path .. "/" .. REST), tensors)
  if type(state) ~= "table" then
    errors.raise("format", path .. ": the state is damaged: it is no table")
  end
  return weights, state
end

--- The complete states in a directory.
-- @return a list of { path =, name =, summary = }, oldest first
function directory.list(parent)
  local found = {}
  if lfs.attributes(parent, "mode") ~= "directory" then return found end
  for name in lfs.dir(parent) do
    local path = parent .. "/" .. name
    if not name:find("^%.") and not name:find("%.tmp$") and directory.is_state(path) then
      local ok, summary = pcall(directory.read_summary, path)
      if ok and type(summary.time) == "number" and type(summary.update) == "number" then
        found[#found + 1] = { path = path, name = name, summary = summary }
      end
    end
  end
  table.sort(found, function(a, b)
    local x, y = a.summary, b.summary
    if x.time ~= y.time then return x.time < y.time end
    if x.update ~= y.update then return x.update < y.update end
    return a.name < b.name
  end)
  return found
end

return directory
