--- Methods that pick and place by index tensors and masks. Those of PyTorch that take the dimension
-- before the index may be written so, or with tensors first as all ops here.

local errors = require "perilune.errors"
local check = require "perilune.check"
local keys = require "perilune.tensor.keys"
local ops = require "perilune.ops"

local is_tensor = check.is_tensor

local picking = {}

-- Positions may be a plain list: t:index_select(1, { 3, 1 }).
local function as_index(value)
  if type(value) ~= "table" or is_tensor(value) or type(value[1]) ~= "number" then return value end
  return require("perilune.create").tensor(value, "i64")
end

-- t:gather(1, index) and t:gather(index, 1).
local function dimension_first(name)
  local op = ops.functions[name]
  return function(t, index, axis, ...)
    if type(index) == "number" then index, axis = as_index(axis), index end
    return op(t, as_index(index), axis, ...)
  end
end

picking.gather = dimension_first "gather"
picking.index_select = dimension_first "index_select"

-- t:index_add(1, index, source) and t:index_add(source, index, 1).
local function dimension_and_index_first(name)
  local op = ops.functions[name]
  return function(t, source, index, axis, ...)
    if is_tensor(axis) and not is_tensor(source) then source, axis = axis, source end
    return op(t, source, index, axis, ...)
  end
end

picking.index_add = dimension_and_index_first "index_add"
picking.scatter_add = dimension_and_index_first "scatter_add"

local topk_options = {
  { "k", type = "integer", min = 0, required = true, doc = "how many" },
  { "dim", -1, type = "integer", doc = "along which dimension" },
  { "largest", true, doc = "false: the smallest" },
}

--- The k largest elements along a dimension, the largest first, and their positions:
-- t:topk(5), t:topk(5, 1), t:topk(5, { largest = false }).
function picking.topk(t, ...)
  local o = check.call(topk_options, "topk", ...)
  if o.k > t:size(o.dim) then
    errors.raise("shape", ("topk: k is %d, but dimension %d has %d elements"):format(o.k, o.dim,
      t:size(o.dim)), { op = "topk", argument = "k" })
  end
  local values, positions = t:sort(o.dim, o.largest)
  return values:narrow(o.dim, 1, o.k), positions:narrow(o.dim, 1, o.k)
end

--- The positions that put the elements in order; arguments as of sort.
function picking.argsort(t, ...) return select(2, t:sort(...)) end

--- The positions of the elements that are not 0, in order: i64, n x dimensions. Reads the tensor.
function picking.nonzero(t)
  local cells, shape = t:ne(0):cells "nonzero"
  local rank, count, found = #shape, 1, {}
  for _, size in ipairs(shape) do count = count * size end
  for at = 0, count - 1 do
    if cells[at] ~= 0 then
      local place, rest = {}, at
      for axis = rank, 1, -1 do
        place[axis] = rest % shape[axis] + 1
        rest = math.floor(rest / shape[axis])
      end
      found[#found + 1] = place
    end
  end
  local create = require "perilune.create"
  if #found == 0 or rank == 0 then return create.zeros(#found, rank, { dtype = "i64" }) end
  return create.tensor(found, { dtype = "i64" }):to(t.device)
end

--- The elements where mask is true, one list; t[mask] is the same.
function picking.masked_select(t, mask)
  if not is_tensor(mask) or mask.dtype ~= "bool" then
    errors.raise("dtype", ("masked_select: the mask must be a bool tensor, got %s"):format(
      is_tensor(mask) and mask.dtype or check.describe(mask)), { op = "masked_select" })
  end
  return keys.get(t, mask:expand(t.shape))
end

--- value where mask is true, t's elements elsewhere.
function picking.masked_fill(t, mask, value) return mask:where(value, t) end

--- The same in place.
function picking.masked_fill_(t, mask, value) return t:copy_(mask:where(value, t)) end

return picking
