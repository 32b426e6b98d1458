--- One Lua function per row of the op table, made from the engine's own description of it.
-- A function takes the row's inputs, then its attributes by position in declared order and/or one
-- trailing table of named ones. Numbers stand for weak scalars, nil for an absent input.
-- The functions are generated as source, one straight path per op: LuaJIT compiles them whole.

local ffi = require "ffi"
local check = require "perilune.check"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local describe_row = require "perilune.ops.row"
local origin = require "perilune.origin"
local queue = require "perilune.queue"
local source = require "perilune.ops.source"

local C, state = engine.C, engine.context
local type = type

local ops = {}

--- Every row: { id, name, signature, inputs, outputs, attributes, flags, family, doc,
-- differentiable, composite }, in table order; inputs and outputs are lists of
-- { name, optional, list, updated, positions, saved, hidden, fixed }.
ops.list = {}

--- The rows by name.
ops.by_name = {}

--- The functions by name; pointwise rows also have the in-place form with a trailing _.
ops.functions = {}

-- ---- results and failures ----

local handle_out = ffi.new "double[4]"
local Tensor                       -- the metatable, given by perilune.tensor
local own                          -- gives a tensor made outside scopes its finalizer

--- Called once by perilune.tensor.
function ops.bind(metatable, give_finalizer)
  Tensor, own = metatable, give_finalizer
end

--- A tensor around a handle that an engine function gave.
-- @param op the row's id or nil
function ops.wrap(handle, op)
  local t = setmetatable({ _h = handle, _op = op or false }, Tensor)
  if state.scope == 0 then own(t) end
  return t
end

local budget = 256 * 2 ^ 20

--- Outside scopes only the collector frees tensors, and it cannot see their memory: before a call
-- that would pass the budget it is run.
local function collect()
  collectgarbage()
  collectgarbage()
  state.allocated = 0
  local live = engine.memory(engine.device_name(state.device)).in_use
  budget = math.max(256 * 2 ^ 20, live / 2)
end
ops.collect = collect

local info = ffi.new "pl_tensor_info"

local function stale_message(row, name, t)
  local made = t._op and ops.list[t._op + 1]
  return ("%s: %s was made by '%s' inside a scope that has closed; :keep() it there, or read it"
    .. " with :item()"):format(row and row.name or "tensor", name,
      made and made.name or "a function")
end

local function is_stale(value)
  return getmetatable(value) == Tensor and C.pl_tensor_describe(value._h, info) == C.PL_ESTALE
end

local function input_name(row, i)
  return row.inputs[i] and row.inputs[i].name or row.inputs[#row.inputs].name
end

--- Raise a failed call; a stale tensor among its inputs is named with the op that made it.
local function fail(status, row, ...)
  if status == C.PL_ESTALE then
    local inputs = { ... }
    for i = 1, select("#", ...) do
      local value = inputs[i]
      if is_stale(value) then
        engine.raise(status, stale_message(row, input_name(row, i), value))
      end
      if type(value) == "table" and getmetatable(value) == nil then
        for _, item in ipairs(value) do
          if is_stale(item) then
            engine.raise(status, stale_message(row, input_name(row, i), item))
          end
        end
      end
    end
  end
  if status == C.PL_EMEMORY then
    local message, memory = ffi.string(C.pl_error()), engine.memory()
    engine.raise(status, ("%s (in use %.0f MiB, cached %.0f MiB, peak %.0f MiB)"):format(message,
      memory.in_use / 2 ^ 20, memory.cached / 2 ^ 20, memory.peak / 2 ^ 20))
  end
  engine.raise(status)
end
ops.fail = fail

--- End a call that did not answer PL_OK: launches that wait for Lua run, failures are raised.
local function settle(status, row, ...)
  if status ~= C.PL_QUEUED then fail(status, row, ...) end
  queue.drain()
end
ops.settle = settle

--- Raise a failed engine call on one tensor; a stale handle names the op that made it.
-- @param name the caller, in errors
function ops.check(status, t, name)
  if status == 0 then return end
  if status == C.PL_ESTALE then
    engine.raise(status, stale_message({ name = name }, "the tensor", t))
  end
  fail(status)
end

--- The results of a call that did not answer PL_OK, all of them owned before the launches run.
local function late_results(status, row, ...)
  if status ~= C.PL_QUEUED then fail(status, row, ...) end
  local results = {}
  for _, output in ipairs(row.outputs) do
    if not output.hidden then
      results[#results + 1] = ops.wrap(handle_out[#results], row.id)
    end
  end
  queue.drain()
  return unpack(results)
end

-- ---- numbers ----

-- Value to handle. A number's tensor has no storage and never changes, so handles are shared; the
-- older half goes when the younger is full, hence a handle outlives the call that asked for it. NaN
-- is no key, and -0 is the same key as 0.
local young, old, young_count = {}, {}, 0
local function new_number(value)
  local handle = old[value]
  if handle then
    old[value] = nil
  else
    engine.check(C.pl_tensor_number(value, handle_out))
    handle = handle_out[0]
    engine.check(C.pl_tensor_adopt(handle, 0))
  end
  if young_count >= 1024 then
    for _, gone in pairs(old) do C.pl_tensor_release(gone) end
    old, young, young_count = young, {}, 0
  end
  young[value] = handle
  young_count = young_count + 1
  return handle
end

local function not_a_tensor(value, name, argument, optional)
  if type(value) == "number" then
    if value ~= value or (value == 0 and 1 / value < 0) then
      engine.check(C.pl_tensor_number(value, handle_out))
      return handle_out[0]
    end
    return young[value] or new_number(value)
  end
  if value == nil and optional then return 0 end
  if type(value) == "cdata" and tonumber(value) then
    return not_a_tensor(tonumber(value), name, argument, optional)
  end
  local got = value == nil and "nothing" or check.describe(value)
  errors.raise("argument", ("%s: %s must be a tensor or a number, got %s"):format(name, argument,
    got), { op = name, argument = argument })
end

local function too_many(row, value)
  errors.raise("argument", ("%s takes no attributes, got %s"):format(row.name,
    check.describe(value)),
    { op = row.name })
end

function ops.budget() return budget end

local buffer = ffi.new "double[16]"

-- Generated chunks count as files of this folder, so that errors point past them.
local chunk_name = debug.getinfo(1, "S").source:gsub("%.lua$", "/")

local function compile(row, text)
  local environment = {
    C = C, state = state, Tensor = Tensor, own = function(t) return own(t) end, buffer = buffer,
    out = handle_out, ops = ops, collect = collect, row = row, type = type,
    settle = settle, late_results = late_results,
    not_a_tensor = not_a_tensor, too_many = too_many, fill = row.fill or false,
    defaults = row.defaults or false,
    note = origin.note, EMEMORY = tonumber(C.PL_EMEMORY),
    setmetatable = setmetatable, getmetatable = getmetatable,
  }
  local names, values = {}, {}
  for name in pairs(environment) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do values[i] = environment[name] end
  local head = ("local %s = ...\n"):format(table.concat(names, ", "))
  return assert(loadstring(head .. text, chunk_name .. row.name))(unpack(values, 1, #names))
end

-- ---- rows with lists ----

local list_buffer, list_capacity = ffi.new "double[64]", 64
local counts = ffi.new "int32_t[8]"

local function reserve(n)
  if n <= list_capacity then return end
  local grown = ffi.new("double[?]", 2 * n)
  ffi.copy(grown, list_buffer, list_capacity * 8)
  list_buffer, list_capacity = grown, 2 * n
end

local function add_list(row, input, list, n)
  if type(list) ~= "table" or getmetatable(list) == Tensor then
    errors.raise("argument", ("%s: %s must be a list of tensors, { a, b }, got %s"):format(row.name,
      input.name, check.describe(list)), { op = row.name, argument = input.name })
  end
  for k = 1, #list do
    local t = list[k]
    reserve(n + 1)
    list_buffer[n] = getmetatable(t) == Tensor and t._h
      or not_a_tensor(t, row.name, input.name, false)
    n = n + 1
  end
  return n, #list
end

--- A row with lists: inputs in signature order, lists as Lua lists, then one table of attributes.
local function call_lists(row, inputs, at)
  if state.anomaly ~= 0 then origin.note() end
  local n = 0
  for i, input in ipairs(row.inputs) do
    local value, count = inputs[i], 0
    if input.list then
      if value ~= nil then n, count = add_list(row, input, value, n) end
    elseif value ~= nil then
      reserve(n + 1)
      list_buffer[n] = getmetatable(value) == Tensor and value._h
        or not_a_tensor(value, row.name, input.name, false)
      n, count = n + 1, 1
    end
    counts[i - 1] = count
  end
  local status = C.pl_apply(row.id, at, list_buffer, counts, n, handle_out)
  if status ~= 0 then return late_results(status, row, unpack(inputs, 1, #row.inputs)) end
  if #row.outputs > 0 then return ops.wrap(handle_out[0], row.id) end
end

local function list_function(row)
  local n = #row.inputs
  return function(...)
    local inputs = { ... }
    local at = row.defaults
    if inputs[n + 1] ~= nil then
      if not row.fill then too_many(row, inputs[n + 1]) end
      at = row.fill(unpack(inputs, n + 1, n + source.MAX_ATTRIBUTES))
    end
    return call_lists(row, inputs, at)
  end
end

-- ---- the table ----

--- Attributes filled in beforehand: pass the result in place of the attributes of a call that
-- happens every step.
-- @param name the row
-- @param options table of named attributes
function ops.prepare(name, options)
  local row = ops.by_name[name]
  local at = row.new_attributes()
  ffi.copy(at, row.fill(options), ffi.sizeof(at))
  return at
end

--- Call any row by name, internal ones too.
-- @param name the row
-- @param inputs list in signature order, nil for an absent one; lists for rows with lists
-- @param options table of named attributes, or nil
function ops.call(name, inputs, options)
  local row = ops.by_name[name]
  if not row then errors.raise("argument", ("there is no op '%s'"):format(tostring(name))) end
  if row.has_lists then
    if options and not row.fill then too_many(row, options) end
    return call_lists(row, inputs, options and row.fill(options) or row.defaults)
  end
  local n = #row.inputs
  local all = {}
  for i = 1, n do all[i] = inputs[i] end
  all[n + 1] = options
  return ops.functions[name](unpack(all, 1, n + 1))
end

--- Read the table and make the functions; called once by perilune.tensor after bind.
function ops.build()
  for id = 0, C.pl_op_count() - 1 do
    local row = describe_row(id)
    ops.list[id + 1], ops.by_name[row.name] = row, row
  end
  local lazy = {}
  function lazy.__index(functions, name)
    local base = type(name) == "string" and name:match "^(.*[^_])_$"
    local row = ops.by_name[base or name]
    if not row or (base and not row.flags.pointwise) then return nil end
    local f
    if row.has_lists then f = list_function(row)
    elseif base then f = compile(row, source.in_place(row))
    else f = compile(row, source.new(row)) end
    functions[name] = f
    return f
  end
  setmetatable(ops.functions, lazy)
end

return ops
