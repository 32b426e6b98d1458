--- JSON text to plain data, the other way of json.lua. Strict: what is no JSON is an error of kind
-- "format" that names the place. Objects become tables by name, arrays lists; null is `json_reader
-- .null` (a marker), since a list may hold it. Nothing is run.

local errors = require "perilune.errors"

local DEPTH = 200

local null = setmetatable({}, { __tostring = function() return "null" end })

local function fail(at, what)
  errors.raise("format", ("JSON: %s at byte %d"):format(what, at))
end

local escapes = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}

local function utf8_of(c)
  local char, floor = string.char, math.floor
  if c < 0x80 then return char(c) end
  if c < 0x800 then return char(0xc0 + floor(c / 64), 0x80 + c % 64) end
  if c < 0x10000 then
    return char(0xe0 + floor(c / 4096), 0x80 + floor(c / 64) % 64, 0x80 + c % 64)
  end
  return char(0xf0 + floor(c / 262144), 0x80 + floor(c / 4096) % 64, 0x80 + floor(c / 64) % 64,
    0x80 + c % 64)
end

-- After "\u" at `at`; answers the character and the place after it.
local function unicode(text, at)
  local digits = text:match("^%x%x%x%x", at)
  if not digits then fail(at, "a \\u escape without four digits") end
  local c = tonumber(digits, 16)
  if c < 0xd800 or c > 0xdfff then return utf8_of(c), at + 4 end
  local low = tonumber(text:match("^\\u(%x%x%x%x)", at + 4) or "", 16)
  if c > 0xdbff or not low or low < 0xdc00 or low > 0xdfff then fail(at, "half a \\u pair") end
  return utf8_of(0x10000 + (c - 0xd800) * 1024 + low - 0xdc00), at + 10
end

local function read_escape(text, at)
  local letter = text:sub(at, at)
  if letter == "u" then return unicode(text, at + 1) end
  return escapes[letter] or fail(at, "an unknown escape"), at + 1
end

local function read_string(text, at)
  local parts = {}
  at = at + 1
  while true do
    local stop = text:find('["\\%c]', at)
    if not stop then fail(#text, "a string without an end") end
    parts[#parts + 1] = text:sub(at, stop - 1)
    local char = text:sub(stop, stop)
    if char == '"' then return table.concat(parts), stop + 1 end
    if char == "\127" then
      parts[#parts + 1], at = char, stop + 1
    elseif char == "\\" then
      parts[#parts + 1], at = read_escape(text, stop + 1)
    else
      fail(stop, "a control character in a string")
    end
  end
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

local read_value

local function read_array(text, at, depth)
  local list = {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "]" then return list, at + 1 end
  while true do
    list[#list + 1], at = read_value(text, at, depth + 1)
    at = skip(text, at)
    local char = text:sub(at, at)
    if char == "]" then return list, at + 1 end
    if char ~= "," then fail(at, "expected ',' or ']'") end
    at = skip(text, at + 1)
  end
end

local function read_object(text, at, depth)
  local object = {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "}" then return object, at + 1 end
  while true do
    if text:sub(at, at) ~= '"' then fail(at, "expected a name") end
    local key
    key, at = read_string(text, at)
    if object[key] ~= nil then fail(at, ("the name %q twice"):format(key)) end
    at = skip(text, at)
    if text:sub(at, at) ~= ":" then fail(at, "expected ':'") end
    object[key], at = read_value(text, skip(text, at + 1), depth + 1)
    at = skip(text, at)
    local char = text:sub(at, at)
    if char == "}" then return object, at + 1 end
    if char ~= "," then fail(at, "expected ',' or '}'") end
    at = skip(text, at + 1)
  end
end

local words = { ["true"] = true, ["false"] = false, null = null }

local function read_word(text, at)
  local word = text:match("^%a+", at)
  if word == nil or words[word] == nil then fail(at, "no value") end
  return words[word], at + #word
end

local function read_number(text, at)
  local digits = text:match("^%-?%d+%.?%d*[eE]?[+-]?%d*", at)
  if not digits or digits:find("^%-?0%d") or digits:find("%.%D") or digits:find("[%.eE+-]$") then
    fail(at, "no number")
  end
  local number = tonumber(digits)
  if not number then fail(at, "no number") end
  return number, at + #digits
end

function read_value(text, at, depth)
  if depth > DEPTH then fail(at, "nested too deep") end
  local char = text:sub(at, at)
  if char == "{" then return read_object(text, at, depth) end
  if char == "[" then return read_array(text, at, depth) end
  if char == '"' then return read_string(text, at) end
  if char:find("[%d-]") then return read_number(text, at) end
  return read_word(text, at)
end

local json_reader = { null = null }

--- Read JSON text.
-- @param text the whole text, one value
-- @return the value
-- @raise kind "format" where it is no JSON
function json_reader.decode(text)
  local value, at = read_value(text, skip(text, 1), 1)
  at = skip(text, at)
  if at <= #text then fail(at, "something after the value") end
  return value
end

return json_reader
