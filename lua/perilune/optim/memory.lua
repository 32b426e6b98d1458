--- What optimizers find again at the next step: the tensor of a group's numbers, the lists of the
-- states of its parameters, and the attributes of launches. A steady step makes nothing new.

local ops = require "perilune.ops"
local create = require "perilune.create"
local is_tensor = require("perilune.tensor").is_tensor

local memory = {}

local function differ(a, b)
  for i = 1, #b do
    if a[i] ~= b[i] then return true end
  end
  return false
end

--- A group's numbers as an f64 tensor, written again when one of them has changed.
-- @param cache the group's
-- @param group whose parameters say the device
-- @param numbers list of numbers; the caller may use it again
function memory.hyper(cache, group, numbers)
  local written = cache.numbers
  if written and not differ(written, numbers) then return cache.hyper end
  local tensor = create.tensor(numbers, { dtype = "f64", device = group.params[1].device })
  if written then cache.hyper:copy_(tensor) else cache.hyper = tensor:keep() end
  cache.numbers = { unpack(numbers) }
  return cache.hyper
end

--- Whether these are the parameters of the last step of a group.
function memory.same_params(cache, params)
  local seen = cache.seen
  if not seen or #seen ~= #params then return false end
  return not differ(seen, params)
end

--- The number of steps a parameter has made, as the 0-d f64 tensor that its launch counts up.
local function step_of(state, p)
  local step = state.step
  if not (is_tensor(step) and step.dtype == "f64" and step:dim() == 0) then
    local made = is_tensor(step) and step:item() or step or 0
    state.step = create.tensor(made, { dtype = "f64", device = p.device }):keep()
  end
  return state.step
end

local function zeros_for(p)
  return create.zeros(p.shape, { dtype = p.dtype, device = p.device }):keep()
end

local function find_lists(optimizer, params, names)
  local lists = { step = {} }
  for j = 1, #names do lists[names[j]] = {} end
  for i = 1, #params do
    local p = params[i]
    local state = optimizer:state_of(p)
    for j = 1, #names do
      local name = names[j]
      if not state[name] then state[name] = zeros_for(p) end
      lists[name][i] = state[name]
    end
    lists.step[i] = step_of(state, p)
  end
  return lists
end

--- The states of the parameters of a step by name, lists in their order; those of a parameter's
-- first step are zeros.
-- @param names list of names, the same table whenever it holds the same names
-- @return { step = list of 0-d f64 tensors, [name] = list of tensors shaped like the parameters }
function memory.lists(optimizer, cache, params, names)
  if cache.names ~= names or not memory.same_params(cache, params) then
    cache.seen, cache.names = { unpack(params) }, names
    cache.lists = find_lists(optimizer, params, names)
  end
  return cache.lists
end

--- The attributes of an op's launches, filled in once for each combination of flags.
-- @param op name of the row
-- @param flags names of its flags, in the order in which the result takes them
-- @return function(flag, flag, flag) -> prepared attributes
function memory.attributes(op, flags)
  local prepared = {}
  return function(a, b, c)
    local key = (a and 1 or 0) + (b and 2 or 0) + (c and 4 or 0)
    if not prepared[key] then
      local on = { a or false, b or false, c or false }
      local options = {}
      for i, name in ipairs(flags) do options[name] = on[i] end
      prepared[key] = ops.prepare(op, options)
    end
    return prepared[key]
  end
end

return memory
