--- pl.nn.init: PyTorch's initialisers with its defaults. Each fills a tensor in place, without
-- recording, and returns it. Options may be positional in the documented order or one table.

local check = require "perilune.check"
local create = require "perilune.create"
local context = require "perilune.context"
local errors = require "perilune.errors"
local tensor = require "perilune.tensor"

local init = {}

--- Options given by position or as one table, checked against a schema.
local function options(schema, label, t, ...)
  if not tensor.is_tensor(t) then
    errors.raise("argument", ("init.%s: expected a tensor, got %s"):format(label,
      check.describe(t)), { argument = "tensor" })
  end
  return check.call(schema, "init." .. label, ...)
end

local function shape_text(t)
  return table.concat(t.shape, "x")
end

--- The number of inputs and outputs of a weight (out x in x kernel ...).
local function fans(label, t)
  local shape = t.shape
  if #shape < 2 then
    errors.raise("shape", ("init.%s: fan in and fan out need 2 dimensions or more, got %s")
      :format(label, #shape == 0 and "a single number" or shape_text(t)), { argument = "tensor" })
  end
  local field = 1
  for i = 3, #shape do field = field * shape[i] end
  return shape[2] * field, shape[1] * field
end

local function uniform_within(t, bound)
  return context.no_grad(t.uniform_, t, -bound, bound)
end

local uniform_options = { { "a", 0 }, { "b", 1 } }

--- Uniform in [a, b).
function init.uniform_(t, ...)
  local o = options(uniform_options, "uniform_", t, ...)
  context.no_grad(t.uniform_, t, o.a, o.b)
  return t
end

local normal_options = { { "mean", 0 }, { "std", 1, min = 0 } }

--- Normal with mean and standard deviation.
function init.normal_(t, ...)
  local o = options(normal_options, "normal_", t, ...)
  context.no_grad(t.normal_, t, o.mean, o.std)
  return t
end

local constant_options = { { "val", type = "number", required = true } }

--- Every element val.
function init.constant_(t, ...)
  local o = options(constant_options, "constant_", t, ...)
  context.no_grad(t.fill_, t, o.val)
  return t
end

--- Every element 1.
function init.ones_(t)
  return init.constant_(t, 1)
end

--- Every element 0.
function init.zeros_(t)
  return init.constant_(t, 0)
end

local function need_matrix(label, t)
  if #t.shape ~= 2 then
    errors.raise("shape", ("init.%s: needs 2 dimensions, got %s"):format(label, shape_text(t)),
      { argument = "tensor" })
  end
end

--- Copy a table of rows into a tensor of any shape with as many elements.
local function write(t, rows)
  local source = create.tensor(rows, { dtype = "f64" }):reshape(t.shape)
  context.no_grad(t.copy_, t, source)
  return t
end

--- The identity: 1 on the diagonal, else 0.
function init.eye_(t)
  need_matrix("eye_", t)
  local rows = {}
  for i = 1, t.shape[1] do
    rows[i] = {}
    for j = 1, t.shape[2] do rows[i][j] = i == j and 1 or 0 end
  end
  return write(t, rows)
end

local gains = {
  linear = 1, identity = 1, sigmoid = 1, conv1d = 1, conv2d = 1, conv3d = 1, tanh = 5 / 3,
  relu = math.sqrt(2), selu = 3 / 4,
}
local nonlinearities = {
  "linear", "identity", "sigmoid", "conv1d", "conv2d", "conv3d", "tanh", "relu", "leaky_relu",
  "selu",
}

--- The factor by which a nonlinearity asks for larger weights.
-- @param nonlinearity name
-- @param param the slope of leaky_relu, 0.01 by default
function init.calculate_gain(nonlinearity, param)
  check.value("init.calculate_gain", "nonlinearity", nonlinearity, { choices = nonlinearities })
  if nonlinearity == "leaky_relu" then return math.sqrt(2 / (1 + (param or 0.01) ^ 2)) end
  return gains[nonlinearity]
end

local xavier_options = { { "gain", 1 } }

--- Uniform within gain sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).
function init.xavier_uniform_(t, ...)
  local o = options(xavier_options, "xavier_uniform_", t, ...)
  local fan_in, fan_out = fans("xavier_uniform_", t)
  uniform_within(t, o.gain * math.sqrt(6 / (fan_in + fan_out)))
  return t
end

--- Normal with deviation gain sqrt(2 / (fan_in + fan_out)).
function init.xavier_normal_(t, ...)
  local o = options(xavier_options, "xavier_normal_", t, ...)
  local fan_in, fan_out = fans("xavier_normal_", t)
  return init.normal_(t, 0, o.gain * math.sqrt(2 / (fan_in + fan_out)))
end

local kaiming_options = {
  { "a", 0, doc = "slope of the leaky_relu that follows" },
  { "mode", "fan_in", choices = { "fan_in", "fan_out" } },
  { "nonlinearity", "leaky_relu", choices = nonlinearities },
}

--- Standard deviation of He et al. 2015: gain / sqrt(fan).
local function kaiming_std(label, t, ...)
  local o = options(kaiming_options, label, t, ...)
  local fan_in, fan_out = fans(label, t)
  local fan = o.mode == "fan_in" and fan_in or fan_out
  return init.calculate_gain(o.nonlinearity, o.a) / math.sqrt(fan)
end

--- Uniform within gain sqrt(3 / fan).
function init.kaiming_uniform_(t, ...)
  uniform_within(t, math.sqrt(3) * kaiming_std("kaiming_uniform_", t, ...))
  return t
end

--- Normal with deviation gain / sqrt(fan).
function init.kaiming_normal_(t, ...)
  return init.normal_(t, 0, kaiming_std("kaiming_normal_", t, ...))
end

local trunc_options = { { "mean", 0 }, { "std", 1, min = 0 }, { "a", -2 }, { "b", 2 } }

--- Draw again where a draw fell outside; 100 rounds leave nothing unless [a, b] is far out.
local function redraw_outside(t, o)
  for _ = 1, 100 do
    local outside = t:lt(o.a):logical_or(t:gt(o.b))
    if outside:sum():item() == 0 then return end
    t:copy_(outside:where(t:detach():clone():normal_(o.mean, o.std), t))
  end
  t:copy_(t:clamp(o.a, o.b))
end

local function trunc_normal(t, o)
  t:normal_(o.mean, o.std)
  redraw_outside(t, o)
end

--- Normal with mean and std, limited to [a, b] by drawing again.
function init.trunc_normal_(t, ...)
  local o = options(trunc_options, "trunc_normal_", t, ...)
  context.no_grad(trunc_normal, t, o)
  return t
end

--- Make rows orthonormal one after the other (modified Gram-Schmidt, twice for accuracy).
local function orthonormalise(rows)
  for i, row in ipairs(rows) do
    for _ = 1, 2 do
      for k = 1, i - 1 do
        local other, dot = rows[k], 0
        for j = 1, #row do dot = dot + row[j] * other[j] end
        for j = 1, #row do row[j] = row[j] - dot * other[j] end
      end
    end
    local norm = 0
    for j = 1, #row do norm = norm + row[j] * row[j] end
    norm = math.sqrt(norm)
    for j = 1, #row do row[j] = row[j] / norm end
  end
  return rows
end

local orthogonal_options = { { "gain", 1 } }

--- A (semi-)orthogonal matrix times gain; further dimensions count as columns (Saxe et al. 2013).
function init.orthogonal_(t, ...)
  local o = options(orthogonal_options, "orthogonal_", t, ...)
  if #t.shape < 2 then
    errors.raise("shape", ("init.orthogonal_: needs 2 dimensions or more, got %s")
      :format(shape_text(t)), { argument = "tensor" })
  end
  local rows = t.shape[1]
  local columns = t:numel() / rows
  local wide = columns >= rows
  local draw = wide and { rows, columns } or { columns, rows }
  local q = create.tensor(orthonormalise(create.randn(draw, { dtype = "f64" }):totable()),
    { dtype = "f64" })
  if not wide then q = q:t() end
  context.no_grad(t.copy_, t, (q * o.gain):contiguous():reshape(t.shape))
  return t
end

local sparse_options = {
  { "sparsity", type = "number", required = true, min = 0, max = 1 },
  { "std", 0.01, min = 0 },
}

--- Normal with deviation std, but a share `sparsity` of each column is 0 (Martens 2010).
function init.sparse_(t, ...)
  local o = options(sparse_options, "sparse_", t, ...)
  need_matrix("sparse_", t)
  init.normal_(t, 0, o.std)
  local rows, height = t:totable(), t.shape[1]
  for j = 1, t.shape[2] do
    local order = create.randperm(height):totable()
    for k = 1, math.ceil(o.sparsity * height) do rows[tonumber(order[k])][j] = 0 end
  end
  return write(t, rows)
end

return init
