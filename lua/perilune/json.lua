--- Plain data to JSON text. Owns the one form in which numbers reach a JSON file: 17 digits, so
-- that every double comes back as it was; keys in sorted order, so that equal data gives equal
-- bytes. JSON has no NaN and no infinity: both are written as null.

local errors = require "perilune.errors"

local json = {}

local escapes = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f",
  ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
}

local function escape(char)
  return escapes[char] or string.format("\\u%04x", char:byte())
end

local function encode_string(text)
  return '"' .. text:gsub('[%c"\\\127]', escape) .. '"'
end

local function encode_number(x)
  if x ~= x or x == math.huge or x == -math.huge then return "null" end
  if x == math.floor(x) and math.abs(x) < 2^53 then return string.format("%.0f", x) end
  return string.format("%.17g", x)
end

local function refuse(path, what)
  errors.raise("argument", ("json: %s is %s, which JSON cannot hold"):format(path, what))
end

-- The length of a list, or nil where the table has other keys than 1..n.
local function list_length(t)
  local count = 0
  for key in next, t do
    if type(key) ~= "number" then return nil end
    count = count + 1
  end
  for i = 1, count do
    if rawget(t, i) == nil then return nil end
  end
  return count
end

local function sorted_keys(t, path)
  local keys = {}
  for key in next, t do
    if type(key) ~= "string" then
      refuse(path, "a table with both a list and names, or with holes")
    end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

local encode

local function encode_table(out, value, path, indent, seen)
  if seen[value] then refuse(path, "a table that contains itself") end
  seen[value] = true
  local inner = indent and indent .. "  "
  local separator = inner and ",\n" .. inner or ","
  local length = next(value) ~= nil and list_length(value)
  local open, close = "{", "}"
  if length then open, close = "[", "]" end
  out[#out + 1] = open
  if inner and next(value) ~= nil then out[#out + 1] = "\n" .. inner end
  if length then
    for i = 1, length do
      if i > 1 then out[#out + 1] = separator end
      encode(out, value[i], path .. "[" .. i .. "]", inner, seen)
    end
  else
    for i, key in ipairs(sorted_keys(value, path)) do
      if i > 1 then out[#out + 1] = separator end
      out[#out + 1] = encode_string(key) .. (inner and ": " or ":")
      encode(out, value[key], path .. "." .. key, inner, seen)
    end
  end
  if indent and next(value) ~= nil then out[#out + 1] = "\n" .. indent end
  out[#out + 1] = close
  seen[value] = nil
end

function encode(out, value, path, indent, seen)
  local kind = type(value)
  if kind == "table" then
    encode_table(out, value, path, indent, seen)
  elseif kind == "string" then
    out[#out + 1] = encode_string(value)
  elseif kind == "number" then
    out[#out + 1] = encode_number(value)
  elseif kind == "boolean" then
    out[#out + 1] = tostring(value)
  else
    refuse(path, "a " .. kind)
  end
end

--- JSON text of plain data: numbers, strings, booleans, lists and tables with string keys.
-- @param value the data; an empty table is written as `{}`
-- @param options `{ indent = true }`: one entry a line, two spaces a level
-- @return the text; whole numbers without a fraction, NaN and infinities as null
-- @raise kind "argument" that names the path of what JSON cannot hold
function json.encode(value, options)
  local out = {}
  encode(out, value, "value", options and options.indent and "" or nil, {})
  return table.concat(out)
end

return json
