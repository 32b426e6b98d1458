--- A script's command line from an options list, the same kind that classes declare: the option
-- "batch_size" is --batch-size, a boolean is a flag, and a wrong value or an unknown name is one
-- sentence. --help prints what the list says.

local check = require "perilune.check"
local errors = require "perilune.errors"
local suggest = require "perilune.suggest"

local command_line = {}

local function flag_of(entry)
  return "--" .. entry[1]:gsub("_", "-")
end

local function kind_of(entry)
  return entry.type or type(entry[2])
end

local function by_flag(schema)
  local entries, flags = {}, {}
  for _, entry in ipairs(schema) do
    local flag = flag_of(entry)
    entries[flag] = entry
    flags[#flags + 1] = flag
  end
  flags[#flags + 1] = "--help"
  return entries, flags
end

local function help(schema, name, summary)
  local lines = { ("usage: %s [options]\n%s\n"):format(name, summary) }
  for _, entry in ipairs(schema) do
    local kind = kind_of(entry)
    local form = flag_of(entry) .. (kind == "boolean" and "" or " " .. kind:upper())
    local default = entry[2]
    lines[#lines + 1] = ("  %-22s %s%s"):format(form, entry.doc or "",
      default and (" (default %s)"):format(tostring(default)) or "")
  end
  lines[#lines + 1] = ("  %-22s %s"):format("--help", "print this")
  return table.concat(lines, "\n")
end

local function refuse(name, text)
  errors.raise("argument", ("%s: %s; --help lists the options"):format(name, text))
end

local function convert(name, flag, entry, text)
  local kind = kind_of(entry)
  local value = text
  if kind == "number" or kind == "integer" then value = tonumber(text) or text end
  check.value(name, flag, value,
    { type = kind, min = entry.min, max = entry.max, choices = entry.choices })
  return value
end

--- Read a command line.
-- @param schema the options list
-- @param arguments the global `arg`: the script's name at 0, then its arguments
-- @param summary one line for --help
-- @return a table of values by option name, defaults filled in; exits after --help
-- @raise kind "argument" with one sentence
function command_line.parse(schema, arguments, summary)
  local name = (arguments[0] or "script"):match("[^/\\]+$")
  local entries, flags = by_flag(schema)
  local values = {}
  for _, entry in ipairs(schema) do values[entry[1]] = entry[2] end
  local i = 1
  while arguments[i] do
    local flag, text = arguments[i]:match("^(%-%-[^=]+)=(.*)$")
    flag = flag or arguments[i]
    local entry = entries[flag]
    if flag == "--help" then
      print(help(schema, name, summary))
      os.exit(0, true)
    elseif flag:sub(1, 1) ~= "-" then
      refuse(name, ("unexpected argument '%s'"):format(flag))
    elseif not entry then
      refuse(name, ("unknown option '%s'%s"):format(flag, suggest.hint(flag, flags)))
    elseif kind_of(entry) == "boolean" then
      if text then refuse(name, flag .. " takes no value") end
      values[entry[1]] = true
    else
      if not text then
        i = i + 1
        text = arguments[i]
      end
      if not text then refuse(name, flag .. " needs a value") end
      values[entry[1]] = convert(name, flag, entry, text)
    end
    i = i + 1
  end
  return values
end

return command_line
