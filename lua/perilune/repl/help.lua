--- help(x): what a class or an object of it takes, from its options; help "matmul" tells of an op,
-- help() of the session itself.

local check = require "perilune.check"
local class = require "perilune.class"

local SESSION = [[
Tab completes names; the arrows and Ctrl-R find earlier lines.
x or = x shows a value, a ; at the end shows nothing; locals last from line to line.
Ctrl-C gives up a line, pauses a run (trainer:resume() goes on) or stops what runs; Ctrl-D leaves.
help(pl.nn.Linear) lists options, help(pl.matmul) or help "matmul" tells of an op.]]

local function default_text(entry)
  if entry.required then return "required" end
  if entry.default == nil then return "not given" end
  return check.describe(entry.default)
end

local function option_lines(label, entries)
  local lines, widest = { label .. " takes" }, 0
  for _, entry in ipairs(entries) do widest = math.max(widest, #entry.name) end
  for _, entry in ipairs(entries) do
    lines[#lines + 1] = ("  %s%s  %s (%s)"):format(entry.name,
      (" "):rep(widest - #entry.name), entry.doc or "", default_text(entry))
  end
  if #entries == 0 then lines[1] = label .. " takes no options" end
  return table.concat(lines, "\n")
end

local function op_text(name)
  local row = require("perilune.ops").by_name[name]
  if not row or row.flags.internal then return nil end
  local attributes = {}
  for i, field in ipairs(row.attributes) do attributes[i] = field.name end
  return ("%s: %s\n  inputs and outputs: %s%s"):format(name, row.doc, row.signature,
    attributes[1] and "\n  attributes, in this order or by name: "
    .. table.concat(attributes, ", ") or "")
end

-- The op whose function or method a value is: pl.matmul, t.sum.
local function op_of(value)
  local ops = require "perilune.ops"
  for _, row in ipairs(ops.list) do
    if rawget(ops.functions, row.name) == value then return row.name end
  end
end

--- Print what is known of a value.
-- @param value a class, an object, an op's function or name, or nothing
return function(value)
  if value == nil then return print(SESSION) end
  local c = class.is_class(value) and value
    or class.name_of(value) ~= type(value) and getmetatable(value)
  if c then
    return print(option_lines(class.name_of(value), check.merged(c)))
  end
  local op = type(value) == "string" and value or type(value) == "function" and op_of(value)
  local text = op and op_text(op)
  print(text or "no help on " .. check.describe(value) .. "; help() tells what there is")
end
