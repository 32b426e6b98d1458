--- Option schemas: an options list says once, in order, what a constructor or a method takes.
-- An entry is { "name", default, type =, required =, choices =, min =, max =, named =, doc = }; the
-- type is inferred from the default. Types: number integer boolean string function table list
-- tensor callable any, a class, or a list of these. nil is "not given", false switches an option
-- off. Options may be given by position, the required ones first, then the others in the list's
-- order (those marked `named` never); a table of named ones may come last.
-- A checked table has every default filled in and is remembered, so checking it again is free.

local class = require "perilune.class"
local errors = require "perilune.errors"
local suggest = require "perilune.suggest"

local type, ipairs, pairs, select = type, ipairs, pairs, select

local check = {}

local SHOWN_NAMES = 12 -- of the options, in an error

-- checked table -> the class or schema that it was checked for
local checked_for = setmetatable({}, { __mode = "k" })
-- options list -> its normalised entries
local normalised = setmetatable({}, { __mode = "k" })

--- Whether a value is data: a table without a metatable, or a list that only prints in its own
-- way (t.shape).
function check.is_plain_table(value)
  if type(value) ~= "table" then return false end
  local meta = getmetatable(value)
  return meta == nil or type(meta) == "table" and rawget(meta, "is_list") == true
end
local is_plain_table = check.is_plain_table

--- Whether a value is a tensor; does not load the engine to find out.
function check.is_tensor(value)
  local tensor = package.loaded["perilune.tensor"]
  return type(tensor) == "table" and tensor.is_tensor(value) or false
end

local function is_integer(value)
  return type(value) == "number" and value % 1 == 0 and value - value == 0
end

-- Keys 1 to n and no others: names and what follows a nil would be passed over in silence.
local function is_list(value)
  if not is_plain_table(value) then return false end
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  return count == #value
end

--- Whether a value can be called: a function, a module, a class.
function check.is_callable(value)
  if type(value) == "function" then return true end
  local meta = type(value) == "table" and getmetatable(value) or nil
  return meta ~= nil and rawget(meta, "__call") ~= nil
end

local tests = {
  any = function() return true end,
  number = function(value) return type(value) == "number" and value == value end,
  integer = is_integer,
  table = function(value) return type(value) == "table" end,
  list = is_list,
  tensor = check.is_tensor,
  callable = check.is_callable,
}
for _, name in ipairs { "boolean", "string", "function" } do
  tests[name] = function(value) return type(value) == name end
end

local function matches(value, kind)
  if class.is_class(kind) then return class.is_instance(value, kind) end
  if type(kind) == "table" then
    for _, one in ipairs(kind) do
      if matches(value, one) then return true end
    end
    return false
  end
  local test = tests[kind]
  if not test then error("check: unknown type '" .. tostring(kind) .. "' in an options list", 0) end
  return test(value)
end

local function type_text(kind)
  if class.is_class(kind) then return class.name_of(kind) end
  if type(kind) ~= "table" then return kind end
  local texts = {}
  for i, one in ipairs(kind) do texts[i] = type_text(one) end
  return table.concat(texts, " or ")
end

local function article(text)
  return (text:match("^[aeiouAEIOU]") and "an " or "a ") .. text
end

local function list_text(values)
  local texts = {}
  for i, value in ipairs(values) do
    texts[i] = type(value) == "string" and "'" .. value .. "'" or tostring(value)
  end
  return table.concat(texts, ", ")
end

local function expected_text(entry)
  if entry.choices then return "one of " .. list_text(entry.choices) end
  local text = entry.type == "any" and "a value" or article(type_text(entry.type))
  if entry.min and entry.max then
    return ("%s between %s and %s"):format(text, entry.min, entry.max)
  elseif entry.min then
    return ("%s >= %s"):format(text, entry.min)
  elseif entry.max then
    return ("%s <= %s"):format(text, entry.max)
  end
  return text
end

--- A value as an error sentence shows it: -3, 'mean', a Linear, a tensor of shape 2x3.
function check.describe(value)
  local kind = type(value)
  if kind == "string" then return ("'%s'"):format(value) end
  if kind == "number" or kind == "boolean" or kind == "nil" then return tostring(value) end
  if class.is_class(value) then return "the class " .. class.name_of(value) end
  if check.is_tensor(value) then return "a tensor of shape " .. table.concat(value.shape, "x") end
  return article(class.name_of(value))
end

-- The same, of a plain table that is no list: what keeps it from being one.
local function describe_given(value)
  if not is_plain_table(value) or is_list(value) then return check.describe(value) end
  local key = suggest.keys(value)[1]
  if key then return ("a table with the key '%s'"):format(key) end
  local first = 1
  while value[first] ~= nil do first = first + 1 end
  return ("a list with nil at %d"):format(first)
end

local function one_of(value, choices)
  for _, choice in ipairs(choices) do
    if value == choice then return true end
  end
  return false
end

local function acceptable(entry, value)
  if entry.choices then return one_of(value, entry.choices) end
  if not matches(value, entry.type) then return false end
  if type(value) ~= "number" then return true end
  return (not entry.min or value >= entry.min) and (not entry.max or value <= entry.max)
end

local function check_value(label, entry, value)
  if value == false and not entry.required then return end
  if acceptable(entry, value) then return end
  local hint = ""
  if entry.choices and type(value) == "string" then hint = suggest.hint(value, entry.choices) end
  -- Options that are tables of a form show it.
  if entry.type == "table" and entry.doc and entry.doc:find("{", 1, true) then
    hint = (" (%s)"):format(entry.doc)
  end
  errors.raise("argument", ("%s: '%s' must be %s, got %s%s"):format(label, entry.name,
    expected_text(entry), describe_given(value), hint), { argument = entry.name })
end

local function normalise(entry)
  local out = {}
  for key, value in pairs(entry) do
    if type(key) == "string" then out[key] = value end
  end
  out.name, out.default = entry[1], entry[2]
  if out.type == nil then
    out.type = out.choices and "any" or out.default ~= nil and type(out.default) or "any"
  end
  return out
end

local function entries_of(schema)
  local entries = normalised[schema]
  if not entries then
    entries = {}
    for i, entry in ipairs(schema) do entries[i] = normalise(entry) end
    normalised[schema] = entries
  end
  return entries
end

local function extend(merged, places, schema)
  for _, entry in ipairs(entries_of(schema)) do
    local place = places[entry.name] or #merged + 1
    merged[place], places[entry.name] = entry, place
  end
end

--- The merged options of a class: its supers' lists first, an entry of the same name replaced.
-- @return ordered list of { name, default, type, required, choices, min, max, doc }
function check.merged(c)
  local chain = {}
  while c do
    local own = rawget(c, "options")
    if own then table.insert(chain, 1, own) end
    c = rawget(c, "super")
  end
  local merged, places = {}, {}
  for _, schema in ipairs(chain) do extend(merged, places, schema) end
  return merged
end

-- The entries that may be given by position, in their order.
local function positional_entries(entries)
  local list = {}
  for _, entry in ipairs(entries) do
    if entry.required then list[#list + 1] = entry end
  end
  for _, entry in ipairs(entries) do
    if not entry.required and not entry.named then list[#list + 1] = entry end
  end
  return list
end

local function takes_table(kind)
  if kind == "table" or kind == "list" or kind == "any" then return true end
  if class.is_class(kind) or type(kind) ~= "table" then return false end
  for _, one in ipairs(kind) do
    if takes_table(one) then return true end
  end
  return false
end

local function names_an_option(value, entries)
  for _, entry in ipairs(entries) do
    if value[entry.name] ~= nil then return true end
  end
  return false
end

--- Whether a last argument is the table of named options rather than the value of `entry`: always
-- where that takes no table, else when it names an option. An only argument that is an empty table
-- names none of them, unless a list is asked for.
local function is_options_table(value, entries, entry, only)
  if not is_plain_table(value) then return false end
  if not entry or not takes_table(entry.type) then return true end
  if next(value) == nil then return only and entry.type ~= "list" or not entry.required end
  return names_an_option(value, entries)
end

local function call_form(label, entries)
  local names = {}
  for _, entry in ipairs(entries) do
    if entry.required then names[#names + 1] = entry.name end
  end
  names[#names + 1] = "{ option = value }"
  return ("%s(%s)"):format(label, table.concat(names, ", "))
end

local function take_options(label, given, options)
  for key, option in pairs(options) do
    if given[key] ~= nil then
      errors.raise("argument", ("%s: '%s' is given twice, by position and by name")
        :format(label, tostring(key)), { argument = key })
    end
    given[key] = option
  end
end

--- Lay positional arguments and the options table out by name.
local function by_name(label, entries, n, ...)
  local positional = positional_entries(entries)
  local first = ...
  if n == 0 then return {} end
  local required = positional[1] and positional[1].required and positional[1] or nil
  if n == 1 and is_options_table(first, entries, required, true) then return first end
  local given, arguments = {}, { ... }
  for i = 1, n do
    local value, entry = arguments[i], positional[i]
    if i == n and is_options_table(value, entries, entry, false) then
      take_options(label, given, value)
    elseif entry then
      given[entry.name] = value
    elseif value ~= nil then
      errors.raise("argument", ("%s: argument %d is too much, got %s; the call is %s")
        :format(label, i, check.describe(value), call_form(label, entries)))
    end
  end
  return given
end

local function names_text(names)
  if #names == 0 then return "no options" end
  local shown = table.concat(names, ", ", 1, math.min(#names, SHOWN_NAMES))
  return #names > SHOWN_NAMES and shown .. ", ..." or shown
end

local function refuse_unknown(label, entries, given)
  local known, unknown = {}, {}
  for i, entry in ipairs(entries) do known[i], known[entry.name] = entry.name, true end
  for key in pairs(given) do
    if type(key) ~= "string" or not known[key] then unknown[#unknown + 1] = tostring(key) end
  end
  if #unknown == 0 then return end
  table.sort(unknown)
  local name = unknown[1]
  if tonumber(name) then
    errors.raise("argument", ("%s: the options table has a value without a name at %s; the call"
      .. " is %s"):format(label, name, call_form(label, entries)))
  end
  local hint = suggest.hint(name, known)
  if hint == "" then hint = "; it takes " .. names_text(known) end
  errors.raise("argument", ("%s: unknown option '%s'%s"):format(label, name, hint),
    { argument = name })
end

local function copy(value)
  if not is_plain_table(value) then return value end
  local out = {}
  for key, item in pairs(value) do out[key] = copy(item) end
  return out
end

local function fill(label, entries, given)
  local out = {}
  for _, entry in ipairs(entries) do
    local value = given[entry.name]
    if value ~= nil then
      check_value(label, entry, value)
      out[entry.name] = value
    elseif entry.required then
      errors.raise("argument", ("%s: option '%s' is required (%s)"):format(label, entry.name,
        type_text(entry.type)), { argument = entry.name })
    else
      out[entry.name] = copy(entry.default)
    end
  end
  return out
end

local function run(label, entries, ...)
  local given = by_name(label, entries, select("#", ...), ...)
  refuse_unknown(label, entries, given)
  return fill(label, entries, given)
end

--- Check the arguments of a class against its merged options (`Class:check(...)`).
-- @return one table, every default filled in; a table checked for `c` or a subclass as it is
function check.class(c, ...)
  local first = ...
  local owner = type(first) == "table" and checked_for[first]
  if owner and class.is_class(owner) and owner:is_a(c) then return first end
  local options = run(class.name_of(c), check.merged(c), ...)
  checked_for[options] = c
  return options
end

--- Check the arguments of a plain function or a method against an options list.
-- @param schema the options list
-- @param label how errors name the callee: "Trainer:train"
function check.call(schema, label, ...)
  local first = ...
  if type(first) == "table" and checked_for[first] == schema then return first end
  local options = run(label, entries_of(schema), ...)
  checked_for[options] = schema
  return options
end

--- Check one value as an option would be.
-- @param label the callee, in errors
-- @param name the value's name
-- @param value what was given
-- @param entry { type =, min =, max =, choices = }
-- @return the value
function check.value(label, name, value, entry)
  check_value(label, { name = name, type = entry.type or "any", min = entry.min, max = entry.max,
    choices = entry.choices, required = true }, value)
  return value
end

--- Check the path of a file: C would end it at a zero byte and take another file.
-- @param label the callee, in errors
-- @return the path
function check.path(label, path)
  if type(path) ~= "string" then
    errors.raise("argument", ("%s: the path must be a string, got %s"):format(label,
      check.describe(path)), { argument = "path" })
  elseif path:find("\0", 1, true) then
    errors.raise("argument", ("%s: the path has a zero byte: %q"):format(label, path),
      { argument = "path" })
  end
  return path
end

local function strict_index(t, key)
  local meta = getmetatable(t)
  if type(key) ~= "string" or meta.optional[key] then return nil end
  local names = suggest.keys(t)
  for name in pairs(meta.optional) do names[#names + 1] = name end
  errors.raise("argument", ("%s has no '%s'%s"):format(meta.label, key,
    suggest.hint(key, names)), { argument = key })
end

--- Make reading an unknown name of a table an error with "did you mean".
-- Numbers as keys stay free, so lists may be read past their end.
-- @param t the table, changed in place
-- @param label how errors name it: "batch"
-- @param optional list of names that may be absent
-- @return t
function check.strict_table(t, label, optional)
  local may_miss = {}
  for _, name in ipairs(optional or {}) do may_miss[name] = true end
  return setmetatable(t, { __index = strict_index, label = label, optional = may_miss })
end

return check
