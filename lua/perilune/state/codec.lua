--- State as Lua holds it (nested tables of numbers, strings, booleans and tensors) to JSON text and
-- a table of tensors, and back. What JSON lacks is written as an object with one key that begins
-- with "$"; nothing but data comes back.

local ffi = require "ffi"
local check = require "perilune.check"
local errors = require "perilune.errors"
local json = require "perilune.json"
local json_reader = require "perilune.json_reader"
local tensor = require "perilune.tensor"

local codec = {}

local int64 = ffi.typeof "int64_t"

local function refuse(path, what)
  errors.raise("argument", ("state: '%s' is %s, which cannot be saved; state_dict() gives numbers, "
    .. "strings, booleans, tensors and tables of them"):format(path, what))
end

local function special_number(x)
  if x ~= x then return { ["$number"] = "nan" } end
  if x == math.huge then return { ["$number"] = "inf" } end
  if x == -math.huge then return { ["$number"] = "-inf" } end
  return x
end

-- A list without holes, or a table of names none of which looks like ours?
local function is_plain(t)
  local count, named = 0, 0
  for key in next, t do
    count = count + 1
    if type(key) == "string" and key:sub(1, 1) ~= "$" then named = named + 1 end
  end
  if named == count then return true end
  for i = 1, count do
    if rawget(t, i) == nil then return false end
  end
  return named == 0
end

local function sorted_pairs(t, path)
  local keys = {}
  for key in next, t do
    if type(key) ~= "string" and type(key) ~= "number" then
      refuse(path, "a table with a " .. type(key) .. " as a key")
    end
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b)
    if type(a) ~= type(b) then return type(a) == "number" end
    return a < b
  end)
  return keys
end

local encode

local function encode_pairs(t, path, out, above)
  local list = {}
  for i, key in ipairs(sorted_pairs(t, path)) do
    list[i] = { special_number(key), encode(t[key], path .. "." .. key, out, above) }
  end
  return { ["$pairs"] = list }
end

local function encode_table(t, path, out, above)
  if above[t] then refuse(path, "a table that contains itself") end
  if not check.is_plain_table(t) then refuse(path, "an object") end
  above[t] = true
  local encoded
  if is_plain(t) then
    encoded = {}
    for key, value in next, t do encoded[key] = encode(value, path .. "." .. key, out, above) end
  else
    encoded = encode_pairs(t, path, out, above)
  end
  above[t] = nil
  return encoded
end

local function add_tensor(t, path, out)
  local name, n = path, 1
  while out[name] do
    n = n + 1
    name = path .. "#" .. n
  end
  out[#out + 1] = name
  out[name] = t
  return { ["$tensor"] = name }
end

function encode(value, path, out, above)
  local kind = type(value)
  if tensor.is_tensor(value) then return add_tensor(value, path, out) end
  if kind == "table" then return encode_table(value, path, out, above) end
  if kind == "number" then return special_number(value) end
  if kind == "string" or kind == "boolean" then return value end
  if kind == "cdata" and ffi.istype(int64, value) then
    return { ["$int64"] = (tostring(value):gsub("LL$", "")) }
  end
  return refuse(path, "a " .. kind)
end

--- Encode state.
-- @param value the state
-- @param path how its tensors' names begin
-- @return JSON text
-- @return its tensors: { names in order..., name = tensor }
-- @raise kind "argument" that names what cannot be saved
function codec.encode(value, path)
  local tensors = {}
  local plain = encode(value, path, tensors, {})
  -- Names in an order that does not change from run to run.
  table.sort(tensors)
  return json.encode(plain, { indent = true }), tensors
end

local function damaged(what)
  errors.raise("format", "the state is damaged: " .. what)
end

local numbers = { nan = 0 / 0, inf = math.huge, ["-inf"] = -math.huge }

local decode

local decoders = {
  ["$tensor"] = function(name, tensors)
    return tensor.is_tensor(tensors[name]) and tensors[name]
      or damaged(("the tensor '%s' is missing"):format(tostring(name)))
  end,
  ["$number"] = function(name) return numbers[name] or damaged "an unknown number" end,
  ["$int64"] = function(digits)
    if type(digits) ~= "string" or not digits:find("^%-?%d+$") or #digits > 20 then
      damaged "no integer"
    end
    local value, negative = int64(0), digits:sub(1, 1) == "-"
    for digit in digits:gmatch("%d") do
      value = value * 10 + (negative and -tonumber(digit) or tonumber(digit))
    end
    return value
  end,
  ["$pairs"] = function(list, tensors)
    local t = {}
    if type(list) ~= "table" then damaged "no list of pairs" end
    for _, pair in ipairs(list) do
      local key = type(pair) == "table" and decode(pair[1], tensors)
      if type(key) ~= "string" and type(key) ~= "number" or key ~= key then damaged "no pair" end
      t[key] = decode(pair[2], tensors)
    end
    return t
  end,
}

function decode(value, tensors)
  if type(value) ~= "table" then return value end
  if value == json_reader.null then return nil end
  local key, inner = next(value)
  local decoder = decoders[key]
  if decoder and next(value, key) == nil then return decoder(inner, tensors) end
  local t = {}
  for k, v in next, value do t[k] = decode(v, tensors) end
  return t
end

--- Decode what `encode` made; both may come from a stranger.
-- @param text the JSON text
-- @param tensors its tensors by name
-- @return the state
-- @raise kind "format" where it is damaged
function codec.decode(text, tensors)
  return decode(json_reader.decode(text), tensors)
end

--- Decode JSON that was read already and has no tensors.
function codec.decode_plain(value)
  return decode(value, {})
end

return codec
