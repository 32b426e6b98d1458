--- Methods of nn.Module about its state as a whole: state_dict, load_state_dict, clone, to.
-- A parameter's identity is its handle: loading copies into it and `to` swaps the storage under
-- it, so optimizers that hold it stay right.

local attributes = require "perilune.attributes"
local class = require "perilune.class"
local check = require "perilune.check"
local errors = require "perilune.errors"
local context = require "perilune.context"
local parameter = require "perilune.nn.parameter"
local Store = require "perilune.nn.store"

local state = {}

local function refuse_cycle(module, path, above)
  if above[module] then
    errors.raise("argument", ("%s: '%s' is a module that contains itself")
      :format(class.name_of(module), path))
  end
end

--- Call visit(name, tensor) for all that is saved; shared tensors come under each of their names.
local function each_saved(module, prefix, above, visit)
  refuse_cycle(module, prefix, above)
  above[module] = true
  local children = module:named_children()
  local store = rawget(module, "_store")
  for name, t in store:each("parameter") do visit(prefix .. name, t) end
  for name, t in store:each("buffer") do visit(prefix .. name, t) end
  for name, child in children do each_saved(child, prefix .. name .. ".", above, visit) end
  above[module] = nil
end

--- All parameters and persistent buffers.
-- @return a plain table: the names in order as a list, and by name the tensors, which share the
--   module's storage (`for _, name in ipairs(sd) do use(name, sd[name]) end`)
function state:state_dict()
  local sd = {}
  each_saved(self, "", {}, function(name, t)
    sd[#sd + 1] = name
    sd[name] = t:detach():keep()
  end)
  return sd
end

local function shape_of(t)
  local shape = t.shape
  return #shape == 0 and "a single number" or table.concat(shape, "x")
end

local function same_shape(a, b)
  local x, y = a.shape, b.shape
  if #x ~= #y then return false end
  for i = 1, #x do
    if x[i] ~= y[i] then return false end
  end
  return true
end

local function check_entry(module, name, own, given)
  if given.shape == nil then
    errors.raise("argument", ("%s: '%s' in the state must be a tensor, got %s")
      :format(class.name_of(module), name, check.describe(given)), { argument = name })
  end
  if not same_shape(own, given) then
    errors.raise("shape", ("%s: '%s' is %s here but %s in the state"):format(
      class.name_of(module), name, shape_of(own), shape_of(given)), { argument = name })
  end
end

local function quoted(names)
  return "'" .. table.concat(names, "', '") .. "'"
end

local function raise_mismatch(module, missing, unexpected)
  local parts = {}
  if #missing > 0 then parts[#parts + 1] = "the state lacks " .. quoted(missing) end
  if #unexpected > 0 then
    parts[#parts + 1] = "the state has " .. quoted(unexpected) .. ", unknown here"
  end
  errors.raise("argument", ("%s: %s (load_state_dict(state, { strict = false }) takes what fits)")
    :format(class.name_of(module), table.concat(parts, "; ")))
end

local load_options = {
  { "state", type = "table", required = true },
  { "strict", true, doc = "raise when names are missing or left over" },
}

local function copy_all(targets, sources)
  for i = 1, #targets do targets[i]:copy_(sources[i]) end
end

--- Copy a state into the module; nothing is changed when anything does not fit.
-- @param sd what state_dict returned, or any table of tensors by name
-- @param options { strict = true }
-- @return missing: list of names the state lacks; unexpected: sorted list of names unknown here
function state:load_state_dict(sd, options)
  local o = check.call(load_options, "load_state_dict", sd, options)
  local missing, unexpected, known = {}, {}, {}
  local targets, sources = {}, {}
  each_saved(self, "", {}, function(name, own)
    local given = o.state[name]
    known[name] = true
    if given == nil then
      missing[#missing + 1] = name
    else
      check_entry(self, name, own, given)
      targets[#targets + 1], sources[#sources + 1] = own, given
    end
  end)
  for name in pairs(o.state) do
    if type(name) == "string" and not known[name] then unexpected[#unexpected + 1] = name end
  end
  table.sort(unexpected)
  if o.strict and #missing + #unexpected > 0 then raise_mismatch(self, missing, unexpected) end
  context.no_grad(copy_all, targets, sources)
  return missing, unexpected
end

local copy_value

local function copy_tensor(t, memo)
  local copy = t:detach():clone()
  local mark = parameter.mark_of(t)
  if mark == "parameter" then
    copy = parameter.Parameter(copy, t.requires_grad)
  elseif mark then
    copy = parameter.Buffer(copy, { persistent = mark == "buffer" })
  else
    copy = copy:keep()
  end
  memo[t] = copy
  return copy
end

local function copy_table(t, memo)
  local copy = setmetatable({}, getmetatable(t))
  memo[t] = copy
  for key, value in pairs(t) do rawset(copy, key, copy_value(value, memo)) end
  return copy
end

--- Tensors, modules and plain tables are copied once each; all else is shared.
function copy_value(value, memo)
  if type(value) ~= "table" then return value end
  if memo[value] then return memo[value] end
  if check.is_tensor(value) then return copy_tensor(value, memo) end
  local meta = getmetatable(value)
  if meta == nil or meta == Store or value.named_modules then return copy_table(value, memo) end
  return value
end

--- A deep copy with storage of its own; what was shared inside is shared inside the copy.
function state:clone()
  self:apply(function(module) rawset(module, "_derived", nil) end)
  return copy_value(self, {})
end

local floating = { f32 = true, f64 = true, f16 = true, bf16 = true }

local to_options = { { "dtype", type = "string" }, { "device", type = "string" } }

local function target_of(target)
  if type(target) == "table" then
    local o = check.call(to_options, "to", target)
    return { dtype = o.dtype and attributes.dtype_of(o.dtype) or o.dtype, device = o.device }
  end
  check.value("to", "target", target, { type = "string" })
  local dtype = attributes.dtype_of(target)
  return { dtype = dtype, device = not dtype and target or nil }
end

local function moved(t, dtype, device)
  return t:detach():to({ dtype = dtype, device = device }):keep()
end

--- Bring a tensor and its gradient to a dtype and a device, under the same handle.
local function move(t, o)
  local dtype = floating[t.dtype] and o.dtype or t.dtype
  local device = o.device or t.device
  if dtype == t.dtype and device == t.device then return end
  local grad = t.grad
  t.grad = nil
  t:swap_(moved(t, dtype, device))
  if grad then t.grad = moved(grad, dtype, device) end
end

--- Move and cast: to("cuda:0"), to("f64"), to{ dtype = "f64", device = "cpu" }. Only floating
-- tensors change their dtype. The parameters stay the same tensors.
-- @return the module
function state:to(target)
  local o = target_of(target)
  if o.dtype and not floating[o.dtype] then
    errors.raise("dtype", ("to: a module's dtype must be a floating one, got '%s'"):format(o.dtype),
      { argument = "dtype" })
  end
  for _, list in ipairs { self:parameters(), self:buffers() } do
    for _, t in ipairs(list) do move(t, o) end
  end
  return self
end

--- Cast all floating parameters and buffers to f32.
function state:float()
  return self:to "f32"
end

--- Cast all floating parameters and buffers to f64.
function state:double()
  return self:to "f64"
end

--- Cast all floating parameters and buffers to f16.
function state:half()
  return self:to "f16"
end

--- Move to a CUDA device, the first if not given.
function state:cuda(index)
  return self:to("cuda:" .. (index or 0))
end

--- Move to the CPU.
function state:cpu()
  return self:to "cpu"
end

return state
