--- Values as the session shows them: what can tell its own text does, plain tables are laid out
-- with sorted keys, a few levels deep, on one line where they fit.

local pretty = {}

local MAX_DEPTH, MAX_ENTRIES, WIDTH = 3, 40, 78

local keywords = {}
for word in ("and break do else elseif end false for function goto if in local nil not or " ..
  "repeat return then true until while"):gmatch("%a+") do keywords[word] = true end

local show

local function quoted(text)
  return (("%q"):format(text):gsub("\\\n", "\\n"):gsub("\r", "\\r"):gsub("%z", "\\0"))
end

local function key_text(key)
  if type(key) == "string" then
    if key:find("^[%a_][%w_]*$") and not keywords[key] then return key end
    return "[" .. quoted(key) .. "]"
  end
  return "[" .. tostring(key) .. "]"
end

--- Numbers first, then by name; keys of other types by type and text.
local function before(a, b)
  local ta, tb = type(a), type(b)
  if ta == tb and (ta == "number" or ta == "string") then return a < b end
  if ta ~= tb then return ta < tb end
  return tostring(a) < tostring(b)
end

local function sorted_keys(value, skip)
  local keys = {}
  for key in next, value do
    if not (type(key) == "number" and key >= 1 and key <= skip and key % 1 == 0) then
      keys[#keys + 1] = key
    end
  end
  table.sort(keys, before)
  return keys
end

local function entries_of(value, depth)
  local entries, length, total = {}, 0, 0
  local function add(text, entry)
    total = total + 1
    if total <= MAX_ENTRIES then entries[total] = text .. show(entry, depth + 1) end
  end
  while rawget(value, length + 1) ~= nil do
    length = length + 1
    add("", rawget(value, length))
  end
  for _, key in ipairs(sorted_keys(value, length)) do
    add(key_text(key) .. " = ", rawget(value, key))
  end
  if total > MAX_ENTRIES then
    entries[#entries + 1] = ("... %d more"):format(total - MAX_ENTRIES)
  end
  return entries
end

local function lay_out(entries, depth)
  local line = "{ " .. table.concat(entries, ", ") .. " }"
  if #line + 2 * depth <= WIDTH and not line:find("\n", 1, true) then return line end
  local margin = ("  "):rep(depth + 1)
  return ("{\n%s%s\n%s}"):format(margin, table.concat(entries, ",\n" .. margin), ("  "):rep(depth))
end

function show(value, depth)
  if type(value) == "string" then return quoted(value) end
  if type(value) ~= "table" then return tostring(value) end
  local meta = getmetatable(value)
  if type(meta) == "table" and rawget(meta, "__tostring") then
    return (tostring(value):gsub("\n", "\n" .. ("  "):rep(depth)))
  end
  if next(value) == nil then return "{}" end
  if depth >= MAX_DEPTH then return "{...}" end
  return lay_out(entries_of(value, depth), depth)
end

--- The text of a value.
-- @param value anything
-- @return text; a string at the top is shown as it is
function pretty.text(value)
  if type(value) == "string" then return value end
  return show(value, 0)
end

return pretty
