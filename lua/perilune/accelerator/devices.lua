--- The forms of `devices`, the same for every accelerator. Ids count from 0, as drivers print them.

local check = require "perilune.check"
local errors = require "perilune.errors"

local devices = {}

-- "2 cuda devices, 0 and 1"; "1 xpu device, 0"
local function describe(name, count)
  if count == 0 then return ("there is no %s device"):format(name) end
  if count == 1 then return ("there is 1 %s device, 0"):format(name) end
  local ids = {}
  for id = 0, math.min(count, 16) - 1 do ids[#ids + 1] = tostring(id) end
  return ("there are %d %s devices, %s%s"):format(count, name, table.concat(ids, ", "),
    count > 16 and ", ..." or "")
end

-- The value as a script writes it.
local function shown(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" or getmetatable(value) then return check.describe(value) end
  local items = {}
  for i = 1, math.min(#value, 16) do items[i] = shown(value[i]) end
  return next(value) == nil and "{}" or ("{ %s }"):format(table.concat(items, ", "))
end

local function refuse(name, count, value, reason)
  local there = count == math.huge and "any number will do" or describe(name, count)
  errors.raise("argument", ("devices = %s: %s; %s"):format(shown(value), reason, there),
    { argument = "devices" })
end

local forms = 'expected "auto", -1, a number of devices, or ids as { 0, 1 }, "0,1" or "3,"'

local function is_integer(value)
  return type(value) == "number" and value % 1 == 0 and value - value == 0
end

local function check_ids(name, count, value, ids)
  local seen = {}
  if #ids == 0 then refuse(name, count, value, "no device is named") end
  for _, id in ipairs(ids) do
    if not is_integer(id) then
      refuse(name, count, value, ("%s is no device id"):format(check.describe(id)))
    elseif id < 0 or id >= count then
      refuse(name, count, value, ("there is no %s device %d"):format(name, id))
    elseif seen[id] then
      refuse(name, count, value, ("device %d is named twice"):format(id))
    end
    seen[id] = true
  end
  return ids
end

local function first(name, count, value, n)
  if n < 1 then refuse(name, count, value, "at least one device is needed") end
  if n > count then refuse(name, count, value, ("%d are asked for"):format(n)) end
  local ids = {}
  for id = 0, n - 1 do ids[#ids + 1] = id end
  return ids
end

-- "0,1" and "3," are ids.
local function listed(name, count, value)
  local ids = {}
  for item in (value:gsub(",%s*$", "") .. ","):gmatch("([^,]*),") do
    local id = tonumber(item:match("^%s*(%d+)%s*$"))
    if not id then refuse(name, count, value, forms) end
    ids[#ids + 1] = id
  end
  return ids
end

--- What the user means by `devices`.
-- @param name the accelerator's
-- @param value as the user gave it
-- @param count how many devices there are; math.huge where ids only number processes
-- @param all how many "auto" and -1 mean, if not `count`
-- @return a list of ids, from 0
function devices.parse(name, value, count, all)
  local number = value
  if type(value) == "string" and value:find("^%s*%-?%d+%s*$") then number = tonumber(value) end
  if value == "auto" or number == -1 then return first(name, count, value, all or count) end
  if is_integer(number) then return first(name, count, value, number) end
  if type(value) == "string" and value:find(",", 1, true) then
    return check_ids(name, count, value, listed(name, count, value))
  elseif type(value) == "table" and getmetatable(value) == nil then
    for key in pairs(value) do
      if not is_integer(key) or key < 1 or key > #value then
        refuse(name, count, value, "the ids are a plain list")
      end
    end
    return check_ids(name, count, value, { unpack(value) })
  end
  refuse(name, count, value, forms)
end

return devices
