--- Methods of arithmetic made of other ops; gradients flow through them.

local errors = require "perilune.errors"
local check = require "perilune.check"
local ops = require "perilune.ops"

local is_tensor = check.is_tensor

local mathematics = {}

-- The square root whose gradient at 0 is 0, not infinite.
local function root(squares)
  local zero = squares:eq(0)
  return zero:where(0, zero:where(1, squares):sqrt())
end

local norm_options = {
  { "p", 2, min = 0, doc = "1, 2, math.huge or any other" },
  { "dim", type = { "integer", "list" }, doc = "over these dimensions; all if not given" },
  { "keepdim", false, doc = "keep them with size 1" },
}

--- The p-norm over dimensions: t:norm(), t:norm(1), t:norm(2, 1, true), t:norm{ dim = 1 }.
function mathematics.norm(t, ...)
  local o = check.call(norm_options, "norm", ...)
  local reduced = { axes = o.dim, keepdim = o.keepdim }
  if o.p == 2 then return root(t:square():sum(reduced)) end
  if o.p == 1 then return t:abs():sum(reduced) end
  if o.p == math.huge then return t:abs():max(reduced) end
  if o.p == 0 then return t:ne(0):sum(reduced):to(t.dtype) end
  return t:abs():pow(o.p):sum(reduced):pow(1 / o.p)
end

--- The standard deviation; arguments as of var.
function mathematics.std(t, ...) return root(t:var(...)) end

-- Over all elements as one list where no axis is given, as PyTorch has it.
local function over_all(name)
  local along = ops.functions[name]
  return function(t, axis, ...)
    local named = type(axis) == "table" and (axis.axis or axis.dim)
    if axis == nil or type(axis) == "table" and not named then return along(t:flatten(), 1) end
    return along(t, axis, ...)
  end
end

--- The position of the largest element along an axis, or among all as one list.
mathematics.argmax = over_all "argmax"

--- The position of the smallest element along an axis, or among all as one list.
mathematics.argmin = over_all "argmin"

function mathematics.isnan(t) return t:ne(t) end
function mathematics.isinf(t) return t:abs():eq(math.huge) end
function mathematics.log2(t) return t:log() * (1 / math.log(2)) end
function mathematics.log10(t) return t:log() * (1 / math.log(10)) end
function mathematics.tan(t) return t:sin() / t:cos() end

local function is_whole(value)
  if is_tensor(value) then return not value.dtype:find("f") end
  return value % 1 == 0
end

local function modulo(t, other) return t - (t / other):floor() * other end

--- What is left of t / other, with the sign of other, as Lua's % has it; t % other is the same.
function mathematics.remainder(t, other)
  if not (is_whole(t) and is_whole(other)) then return modulo(t, other) end
  local left = is_tensor(t) and t:to("f64") or t
  local right = is_tensor(other) and other:to("f64") or other
  return modulo(left, right):to(is_tensor(t) and t.dtype or other.dtype)
end

--- t + weight * (other - t).
function mathematics.lerp(t, other, weight) return t + (other - t) * weight end

--- How many elements are not 0, over axes as sum takes them.
function mathematics.count_nonzero(t, ...) return t:ne(0):sum(...) end

-- ---- products ----

local function need_rank(name, t, rank)
  if t:dim() == rank then return end
  errors.raise("shape", ("%s: expected %s, got a tensor of %d dimensions; matmul takes all"):format(
    name, rank == 1 and "a vector" or rank == 2 and "a matrix" or "a batch of matrices", t:dim()),
    { op = name })
end

--- The product of two matrices.
function mathematics.mm(t, other)
  need_rank("mm", t, 2)
  need_rank("mm", other, 2)
  return t:matmul(other)
end

--- The products of two batches of matrices.
function mathematics.bmm(t, other)
  need_rank("bmm", t, 3)
  need_rank("bmm", other, 3)
  return t:matmul(other)
end

--- A matrix times a vector.
function mathematics.mv(t, vector)
  need_rank("mv", t, 2)
  need_rank("mv", vector, 1)
  return t:matmul(vector)
end

--- The inner product of two vectors.
function mathematics.dot(t, other)
  need_rank("dot", t, 1)
  need_rank("dot", other, 1)
  return t:matmul(other)
end

--- The outer product of two vectors.
function mathematics.outer(t, other)
  need_rank("outer", t, 1)
  need_rank("outer", other, 1)
  return t:unsqueeze(2) * other:unsqueeze(1)
end

-- ---- comparing ----

--- Whether shapes and all elements are equal: a boolean.
function mathematics.equal(t, other)
  return t.shape == other.shape and t:eq(other):all():item()
end

local close_options = {
  { "rtol", 1e-5, min = 0, doc = "how far apart, as a share of other" },
  { "atol", 1e-8, min = 0, doc = "and how far in any case" },
  { "equal_nan", false, doc = "NaN is close to NaN" },
}

--- Where |t - other| <= atol + rtol * |other|.
function mathematics.isclose(t, other, ...)
  local o = check.call(close_options, "isclose", ...)
  local apart = (t - other):abs()
  local near = apart:isfinite():logical_and(apart:le(other:abs() * o.rtol + o.atol))
  local close = near:logical_or(t:eq(other))
  return o.equal_nan and close:logical_or(t:ne(t):logical_and(other:ne(other))) or close
end

--- Whether all elements are close: a boolean; t:allclose(other, { rtol = 1e-3 }).
function mathematics.allclose(t, other, ...)
  return mathematics.isclose(t, other, ...):all():item()
end

return mathematics
