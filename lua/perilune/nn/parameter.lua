--- Parameters and buffers: tensors that a module owns. Both are kept, so no scope frees them, and
-- marked, so that assigning one to a field of a module registers it there.

local errors = require "perilune.errors"
local check = require "perilune.check"
local tensor = require "perilune.tensor"

local parameter = {}

local is_tensor = tensor.is_tensor

local function own(label, data)
  if not is_tensor(data) then
    errors.raise("argument", ("%s: expected a tensor, got %s (make one with pl.tensor)")
      :format(label, check.describe(data)), { argument = "data" })
  end
  return data:detach():keep()
end

--- A tensor to be learned: a leaf of its own that shares the storage of `data`.
-- @param data tensor
-- @param requires_grad default true
function parameter.Parameter(data, requires_grad)
  local p = own("Parameter", data)
  p:requires_grad_(requires_grad ~= false)
  rawset(p, "_registers_as", "parameter")
  return p
end

--- A tensor that belongs to a module's state without being learned (running statistics).
-- @param data tensor
-- @param options { persistent = true }: false leaves it out of state_dict
function parameter.Buffer(data, options)
  local o = check.call({ { "persistent", true } }, "Buffer", options)
  local b = own("Buffer", data)
  rawset(b, "_registers_as", o.persistent and "buffer" or "transient")
  return b
end

--- As what a tensor registers: "parameter", "buffer", "transient" (a buffer not saved) or nil.
function parameter.mark_of(t)
  return rawget(t, "_registers_as")
end

return parameter
