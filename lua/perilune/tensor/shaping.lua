--- Methods that cut, repeat and rearrange, made of views and joins; gradients flow through them.

local errors = require "perilune.errors"
local check = require "perilune.check"
local ops = require "perilune.ops"

local shaping = {}

--- Pieces along an axis: views.
-- @param sizes the size of each piece (the last may be smaller), or a list of sizes
-- @param axis 1 if not given
-- @return a list of tensors
function shaping.split(t, sizes, axis)
  axis = axis or 1
  local total, list = t:size(axis), sizes
  if type(sizes) == "number" then
    check.value("split", "sizes", sizes, { type = "integer", min = 1 })
    list = {}
    for at = 1, math.max(total, 1), sizes do list[#list + 1] = math.min(sizes, total - at + 1) end
  end
  check.value("split", "sizes", list, { type = "list" })
  local parts, at = {}, 1
  for i, size in ipairs(list) do
    parts[i], at = t:narrow(axis, math.min(at, math.max(total, 1)), size), at + size
  end
  if at - 1 ~= total then
    errors.raise("shape", ("split: the sizes make %d, dimension %d has %d"):format(at - 1, axis,
      total), { op = "split", argument = "sizes" })
  end
  return parts
end

--- At most n pieces of one size along an axis, the last may be smaller: views.
-- @return a list of tensors
function shaping.chunk(t, n, axis)
  check.value("chunk", "n", n, { type = "integer", min = 1 })
  return shaping.split(t, math.max(math.ceil(t:size(axis or 1) / n), 1), axis)
end

--- All positions along an axis: views without that dimension.
-- @return a list of tensors
function shaping.unbind(t, axis)
  local parts = {}
  for i = 1, t:size(axis or 1) do parts[i] = t:select(axis or 1, i) end
  return parts
end

local function counts_of(name, ...)
  local counts = type(...) == "table" and (...) or { ... }
  for _, count in ipairs(counts) do
    check.value(name, "counts", count, { type = "integer", min = 0 })
  end
  return counts
end

--- The whole tensor again and again, so often along each dimension: t:tile(2, 3). It is PyTorch's
-- `repeat`, a keyword of Lua. Counts stand for the last dimensions, more of them make new ones.
function shaping.tile(t, ...)
  local counts, rank = counts_of("tile", ...), t:dim()
  for _ = rank + 1, #counts do t = t:unsqueeze(1) end
  for i, count in ipairs(counts) do
    local copies = {}
    for k = 1, count do copies[k] = t end
    local axis = i - #counts - 1
    if count ~= 1 then
      t = count == 0 and t:narrow(axis, 1, 0) or ops.functions.cat(copies, axis)
    end
  end
  return t
end

--- Each position n times in a row: along an axis, or of all elements as one list.
function shaping.repeat_interleave(t, n, axis)
  check.value("repeat_interleave", "n", n, { type = "integer", min = 0 })
  if axis == nil then t, axis = t:flatten(), 1 end
  if axis < 0 then axis = axis + t:dim() + 1 end
  local shape, wide = t.shape, t:unsqueeze(axis + 1)
  local expanded = wide.shape
  expanded[axis + 1], shape[axis] = n, shape[axis] * n
  return wide:expand(expanded):reshape(shape)
end

--- Elements moved on along an axis; those that leave at the end come in at the start. Without an
-- axis all elements move as one list.
function shaping.roll(t, shift, axis)
  check.value("roll", "shift", shift, { type = "integer" })
  if axis == nil then return shaping.roll(t:flatten(), shift, 1):reshape(t.shape) end
  local size = t:size(axis)
  if size == 0 or shift % size == 0 then return t end
  local tail = shift % size
  return ops.functions.cat({ t:narrow(axis, size - tail + 1, tail),
    t:narrow(axis, 1, size - tail) }, axis)
end

-- column - row of the elements of t's last two dimensions.
local function offsets(t, name)
  if t:dim() < 2 then
    errors.raise("shape", ("%s: the tensor has %d dimensions, matrices have 2"):format(name,
      t:dim()), { op = name })
  end
  local function count(n) return ops.functions.arange(1, 1, n, { dtype = "i64" }):to(t.device) end
  return count(t:size(-1)):unsqueeze(1) - count(t:size(-2)):unsqueeze(2)
end

--- Matrices (the last two dimensions) with 0 above a diagonal: 0 the main one, 1 the next above.
function shaping.tril(t, diagonal)
  return offsets(t, "tril"):le(diagonal or 0):where(t, 0)
end

--- Matrices (the last two dimensions) with 0 below a diagonal.
function shaping.triu(t, diagonal)
  return offsets(t, "triu"):ge(diagonal or 0):where(t, 0)
end

--- The diagonal of a matrix, or the matrix with a vector on its diagonal.
function shaping.diag(t)
  if t:dim() == 1 then
    local n = t:size(1)
    local square = t:unsqueeze(2):expand(n, n)
    return offsets(square, "diag"):eq(0):where(square, 0)
  end
  if t:dim() ~= 2 then
    errors.raise("shape", ("diag: the tensor has %d dimensions, expected 1 or 2"):format(t:dim()),
      { op = "diag" })
  end
  local n, columns = math.min(t:size(1), t:size(2)), t:size(2)
  if n == 0 then return t:reshape(0) end
  return t:reshape(-1):narrow(1, 1, n, columns + 1)
end

--- The sum of a matrix's diagonal.
function shaping.trace(t) return shaping.diag(t):sum() end

--- The shape of another tensor.
function shaping.expand_as(t, other) return t:expand(other.shape) end
function shaping.view_as(t, other) return t:reshape(other.shape) end
function shaping.view(t, ...) return t:reshape(...) end

return shaping
