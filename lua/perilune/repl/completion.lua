--- What Tab completes: names of globals, of the session's locals and of what `a.b.c` or `a.b:c`
-- reaches. Nothing is called on the way; fields are read, so lazy namespaces load.

local class = require "perilune.class"
local suggest = require "perilune.suggest"

local completion = {}

local MAX_LISTED, WIDTH = 100, 78

local function add_keys(names, t)
  for key in next, t do
    if type(key) == "string" and key:find("^%a[%w_]*$") then names[#names + 1] = key end
  end
end

-- The names that a value can be asked for: what its metatable's __names lists, its own fields, the
-- methods of its class.
local function names_of(value)
  local names = {}
  if type(value) == "string" then value = string end
  if type(value) ~= "table" then return names end
  local meta = getmetatable(value)
  if type(meta) == "table" and rawget(meta, "__names") then
    for _, name in ipairs(meta.__names(value)) do names[#names + 1] = name end
  end
  add_keys(names, value)
  local c = class.is_class(value) and value or type(meta) == "table" and meta or nil
  while type(c) == "table" do
    if class.is_class(c) then add_keys(names, c) end
    c = rawget(c, "super")
  end
  return names
end

local function read(value, key)
  local ok, found = pcall(function() return value[key] end)
  return ok and found or nil
end

-- The value that a path names, nil where there is none.
local function resolve(path, variables)
  local value
  for name in path:gmatch("[%a_][%w_]*") do
    if value == nil then
      value = variables[name] and variables[name]()
      if value == nil then value = rawget(_G, name) end
    else
      value = read(value, name)
    end
    if value == nil then return nil end
  end
  return value
end

local function starting_with(names, start)
  local found, seen = {}, {}
  for _, name in ipairs(names) do
    if name:sub(1, #start) == start and not seen[name] then
      found[#found + 1], seen[name] = name, true
    end
  end
  table.sort(found)
  return found
end

local function common_start(names)
  local start = names[1]
  for _, name in ipairs(names) do
    while name:sub(1, #start) ~= start do start = start:sub(1, -2) end
  end
  return start
end

-- Names in columns, as a shell lists files.
local function in_columns(names)
  local widest = 0
  for _, name in ipairs(names) do widest = math.max(widest, #name + 2) end
  local columns, lines = math.max(1, math.floor(WIDTH / widest)), {}
  for i = 1, math.min(#names, MAX_LISTED) do
    local line = math.floor((i - 1) / columns) + 1
    lines[line] = (lines[line] or "") .. names[i] .. (" "):rep(widest - #names[i])
  end
  if #names > MAX_LISTED then lines[#lines + 1] = ("... %d more"):format(#names - MAX_LISTED) end
  return (table.concat(lines, "\n"):gsub(" +\n", "\n"):gsub(" +$", ""))
end

local function candidates(path, mark, variables)
  if path == "" then
    local names = suggest.keys(variables)
    add_keys(names, _G)
    return names
  end
  local value = resolve(path, variables)
  if mark ~= ":" then return names_of(value) end
  local methods = {}
  for _, name in ipairs(names_of(value)) do
    if type(read(value, name)) == "function" then methods[#methods + 1] = name end
  end
  return methods
end

--- Complete the name that ends a line.
-- @param line what stands before the cursor
-- @param variables the session's locals: functions that give their values, by name
-- @return text to insert, or nil
-- @return names to list, as lines, where nothing can be inserted and several are possible
function completion.complete(line, variables)
  local chain = line:match("[%a_][%w_%.:]*$") or ""
  local path, mark, start = chain:match("^(.*)([%.:])([%w_]*)$")
  if not path then path, mark, start = "", "", chain end
  if path == "" and start == "" then return nil end
  local found = starting_with(candidates(path, mark, variables), start)
  if #found == 0 then return nil end
  local more = common_start(found):sub(#start + 1)
  if more ~= "" then return more end
  if #found > 1 then return nil, in_columns(found) end
end

return completion
