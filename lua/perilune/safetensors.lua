--- Files of named tensors in the safetensors format, which Python's package of that name reads and
-- writes. Loading runs no code; a damaged file is an error. Saving replaces a file when the new one
-- is complete on the disk.

local ffi = require "ffi"
local C = require "perilune.io_ffi"
local check_path = require("perilune.check").path
local create = require "perilune.create"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local tensor = require "perilune.tensor"
local attributes = require "perilune.attributes"

local check = engine.check
local safetensors = {}

local function refuse(message)
  errors.raise("argument", "safetensors.save: " .. message)
end

-- The names in the order of the list part, else sorted.
local function names_of(tensors)
  if tensors[1] ~= nil then return tensors end
  local names = {}
  for name in next, tensors do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function check_text(text, what)
  if type(text) ~= "string" then
    refuse(("%s must be a string, got a %s"):format(what, type(text)))
  end
  if text:find("\0", 1, true) then refuse(("%s has a zero byte: %q"):format(what, text)) end
end

local function check_tensors(names, tensors)
  for _, name in ipairs(names) do
    check_text(name, "a name")
    if not tensor.is_tensor(tensors[name]) then
      refuse(("'%s' is no tensor but a %s"):format(name, type(tensors[name])))
    end
  end
end

local function notes_of(metadata)
  local keys = {}
  for key, value in next, metadata do
    check_text(key, "a key of the metadata")
    check_text(value, "metadata." .. key)
    keys[#keys + 1] = key
  end
  table.sort(keys)
  local notes = ffi.new("pl_safetensors_note[?]", math.max(#keys, 1))
  for i, key in ipairs(keys) do notes[i - 1].key, notes[i - 1].value = key, metadata[key] end
  return notes, #keys
end

--- Tensors and metadata as the engine's functions that write them take them.
-- @return names, tensors, how many; notes, how many
function safetensors.arguments(tensors, metadata)
  if type(tensors) ~= "table" or tensor.is_tensor(tensors) then
    refuse("give a table of tensors")
  end
  local names = names_of(tensors)
  check_tensors(names, tensors)
  local n = #names
  local c_names = ffi.new("const char *[?]", math.max(n, 1))
  local handles = ffi.new("double[?]", math.max(n, 1))
  for i, name in ipairs(names) do c_names[i - 1], handles[i - 1] = name, tensors[name]._h end
  return c_names, handles, n, notes_of(metadata or {})
end

--- Write tensors to a file.
-- @param path where
-- @param tensors { names in order..., name = tensor }, as state_dict() gives, or { name = tensor }
-- @param metadata optional { key = text }
-- @raise kind "io" when it cannot be written; the old file is then as it was
function safetensors.save(path, tensors, metadata)
  check_path("safetensors.save", path)
  check(C.pl_safetensors_write(path, safetensors.arguments(tensors, metadata)))
end

local dtype_names = attributes.dtype_names

local function read_entry(file, entries, i)
  local entry, shape = entries[i], {}
  for k = 1, entry.rank do shape[k] = tonumber(entry.sizes[k - 1]) end
  local t = create.empty(shape, { dtype = dtype_names[entry.dtype], device = "cpu" })
  tensor.adopt(t, 0)
  check(C.pl_safetensors_read(file, i, t._h))
  return t
end

local function read_notes(file)
  local out, metadata = ffi.new "const pl_safetensors_note *[1]", {}
  for i = 0, C.pl_safetensors_notes(file, out) - 1 do
    metadata[ffi.string(out[0][i].key)] = ffi.string(out[0][i].value)
  end
  return metadata
end

local function read_file(file)
  local out, tensors = ffi.new "const pl_safetensors_entry *[1]", {}
  for i = 0, C.pl_safetensors_entries(file, out) - 1 do
    local name = ffi.string(out[0][i].name)
    tensors[i + 1] = name
    tensors[name] = read_entry(file, out[0], i)
  end
  return tensors, read_notes(file)
end

--- Read a file whole.
-- @param path where
-- @return { names in the file's order..., name = tensor }, which load_state_dict takes
-- @return the metadata, { key = text }
-- @raise kind "io" or "format" when it cannot be read
function safetensors.load(path)
  check_path("safetensors.load", path)
  local out = ffi.new "pl_safetensors *[1]"
  check(C.pl_safetensors_open(path, out))
  local file = out[0]
  local ok, tensors, metadata = xpcall(read_file, errors.handler, file)
  C.pl_safetensors_close(file)
  if not ok then error(tensors, 0) end
  return tensors, metadata
end

return safetensors
