-- Inputs for every op: samples.<op> = list of cases { inputs, attributes, options }, one line an op
-- where it can be. An input is a table that `case.fill` turns into values:
--   x(shape, low, high)        distinct reals, never on a multiple of 1/1024: kinks are far away
--   few(shape)                 whole numbers -2..2, so that equal ones meet
--   mask(shape)                ones and zeros, bool
--   positions(shape, n)        1..n; { ... } as n gives the values
--   list{ ... }                for a starred input; false: an optional one left out
-- Options: dense = true (only dense inputs make sense), wrong = true (the call must fail),
-- floats = true (no integer dtypes), grad = false (values only), second = false (differences do
-- not give the second derivative), ties = false (no gradient where elements are equal),
-- constant = { [3] = true } (input 3 has no gradient), tolerance = how far values may be off.

local function x(shape, low, high) return { shape = shape, low = low or -2, high = high or 2 } end
local function few(shape) return { shape = shape, few = true } end
local function mask(shape) return { shape = shape, mask = true } end
local function positions(shape, n) return { shape = shape, positions = n } end
local function list(items) return { list = items } end
local function fixed(values, dtype) return { shape = { #values }, values = values,
    dtype = dtype } end
local function number(value, dtype) return { shape = {}, values = { value }, dtype = dtype } end

local SHAPES = { { 2, 3 }, {}, { 0, 3 }, { 37 }, { 3, 1, 5 } }
local LONG = { { 1027 }, { 3, 350 } }
local PAIRS = {
  { { 2, 3 }, { 2, 3 } }, { { 2, 3 }, { 3 } }, { { 2, 1 }, { 1, 3 } }, { {}, { 2, 3 } },
  { { 2, 3 }, {} }, { {}, {} }, { { 0, 3 }, { 3 } }, { { 37 }, { 37 } }, { { 2, 3, 2 }, { 3, 1 } },
}
local LONG_PAIRS = { { { 1027 }, { 1027 } }, { { 40, 33 }, { 33 } }, { { 40, 33 }, { 40, 1 } } }

--- One operand at every shape; values from low..high.
local function unary(low, high, attributes, options)
  local cases = {}
  for _, shape in ipairs(SHAPES) do
    cases[#cases + 1] = { { x(shape, low, high) }, attributes, options }
  end
  for _, shape in ipairs(LONG) do
    cases[#cases + 1] = { { x(shape, low, high) }, attributes, { grad = false } }
  end
  return cases
end

--- Two operands at every pair of shapes that broadcasts, and one pair that does not.
local function binary(low, high, options)
  local cases = {}
  for _, pair in ipairs(PAIRS) do
    cases[#cases + 1] = { { x(pair[1], low, high), x(pair[2], low, high) }, nil, options }
  end
  for _, pair in ipairs(LONG_PAIRS) do
    cases[#cases + 1] = { { x(pair[1], low, high), x(pair[2], low, high) }, nil, { grad = false } }
  end
  cases[#cases + 1] = { { x{ 2, 3 }, x{ 4 } }, nil, { wrong = true } }
  return cases
end

--- The same cases for a row that takes no integers.
local function floats(cases)
  for _, case in ipairs(cases) do
    case[3] = case[3] or {}
    case[3].floats = true
  end
  return cases
end

local function compare()
  local cases = binary()
  for _, pair in ipairs(PAIRS) do cases[#cases + 1] = { { few(pair[1]), few(pair[2]) } } end
  return cases
end

--- Every way to name axes, empty and 0-d inputs; `empty` is false where an empty line has no value.
local function reduce(low, high, empty, options)
  local cases = {
    { { x({ 2, 3 }, low, high) }, nil, options },
    { { x({ 2, 3 }, low, high) }, { axes = { 1 } }, options },
    { { x({ 2, 3 }, low, high) }, { axes = { -1 }, keepdim = true }, options },
    { { x({ 3, 2, 4 }, low, high) }, { axes = { 1, 3 } }, options },
    { { x({ 3, 2, 4 }, low, high) }, { axes = { 2 } }, options },
    { { x({ 3, 2, 4 }, low, high) }, { axes = { -1, -2 }, keepdim = true }, options },
    { { x({ 2, 2, 2, 3 }, low, high) }, { axes = { 2, 4 } }, options },
    { { x({}, low, high) }, nil, options },
    { { x({ 1 }, low, high) }, { axes = { 1 } }, options },
    { { x({ 37 }, low, high) }, nil, options },
    { { x({ 5, 300 }, low, high) }, { axes = { 1 } }, { grad = false, floats = true } },
    { { x({ 300, 5 }, low, high) }, { axes = { 1 } }, { grad = false, floats = true } },
    { { x({ 5, 300 }, low, high) }, { axes = { 2 } }, { grad = false, floats = true } },
    { { x({ 2, 0 }, low, high) }, { axes = { 1 } }, { grad = false } },
    { { x({ 2, 3 }, low, high) }, { axes = { 3 } }, { wrong = true } },
    { { x({ 2, 3 }, low, high) }, { axes = { 1, 1 } }, { wrong = true } },
  }
  cases[#cases + 1] = { { x({ 2, 0 }, low, high) }, { axes = { 2 } },
    { grad = false, wrong = empty == false or nil } }
  return cases
end

local function along(extra, options)
  local cases = {
    { { x{ 2, 3 } }, { axis = 2 }, options }, { { x{ 2, 3 } }, { axis = 1 }, options },
    { { x{ 3, 2, 4 } }, { axis = -2 }, options }, { { x{ 7 } }, { axis = -1 }, options },
    { { x{ 0, 3 } }, { axis = 2 } }, { { x{ 3, 41 } }, { axis = 2 }, { grad = false } },
    { { x{ 41, 3 } }, { axis = 1 }, { grad = false } },
    { { x{ 2, 3 } }, { axis = 3 }, { wrong = true } },
  }
  for _, case in ipairs(extra or {}) do cases[#cases + 1] = case end
  return cases
end

local function arg()
  return along{
    { { few{ 4, 6 } }, { axis = 2 } }, { { few{ 4, 6 } }, { axis = 1, keepdim = true } },
    { { x{ 2, 0 } }, { axis = 2 }, { wrong = true } },
  }
end

local function sgd()
  local cases = {}
  for _, flags in ipairs{ {}, { nesterov = true }, { maximize = true }, { first = true } } do
    for _, hyper in ipairs{ { 0.1, 0.9, 0, 0 }, { 0.5, 0.75, 0.25, 0.125 } } do
      if not (flags.nesterov and hyper[3] ~= 0) then
        cases[#cases + 1] = { {
          list{ x{ 2, 3 }, x{ 37 }, x{} }, list{ x{ 2, 3 }, x{ 37 }, x{} },
          list{ x{ 2, 3 }, x{ 37 }, x{} }, fixed(hyper, "f64"),
        }, flags, { dense = true } }
      end
    end
  end
  cases[#cases + 1] = { { list{ x{ 2, 3 } }, list{ x{ 2, 3 } }, false,
    fixed({ 0.5, 0, 0, 0.25 }, "f64") }, nil, { dense = true } }
  cases[#cases + 1] = { { list{ x{ 2, 3 } }, list{ x{ 2 } }, false, fixed({ 0.5, 0, 0, 0 },
    "f64") },
    nil, { wrong = true } }
  return cases
end

--- What a step with several averages and a count per tensor gets: `states` says the ranges of its
-- lists of state, false one that is absent.
local function counted_step(states, hyper, counts)
  local function three(low, high)
    return list{ x({ 2, 3 }, low, high), x({ 37 }, low, high), x({}, low, high) }
  end
  local inputs = { three(), three() }
  for _, range in ipairs(states) do
    inputs[#inputs + 1] = range and three(range[1], range[2]) or false
  end
  local steps = {}
  for i, n in ipairs(counts or { 0, 6, 99 }) do steps[i] = number(n, "f64") end
  inputs[#inputs + 1] = list(steps)
  inputs[#inputs + 1] = fixed(hyper, "f64")
  return inputs
end

local function adam()
  local cases, any, positive = {}, { -1, 1 }, { 0.25, 2 }
  for _, flags in ipairs{ {}, { decoupled = true }, { maximize = true } } do
    for _, top in ipairs{ false, positive } do
      cases[#cases + 1] = { counted_step({ any, positive, top }, { 0.25, 0.75, 0.9, 0.125, 0.5 }),
        flags, { dense = true } }
    end
  end
  cases[#cases + 1] = { counted_step({ any, positive, false }, { 0.1, 0.9, 0.999, 1e-8, 0 },
    { 0, 0, 0 }), nil, { dense = true } }
  cases[#cases + 1] = { counted_step({ any, false, false }, { 0.1, 0.9, 0.999, 1e-8, 0 }), nil,
    { wrong = true } }
  cases[#cases + 1] = { counted_step({ any, positive, false }, { 0.1, 0.9, 0.999, 1e-8, 0 },
    { 0, 0 }), nil, { wrong = true } }
  return cases
end

local function rmsprop()
  local cases, positive = {}, { 1, 2 }
  for _, flags in ipairs{ {}, { maximize = true } } do
    for _, mean in ipairs{ false, { -0.5, 0.5 } } do
      for _, buffer in ipairs{ false, { -1, 1 } } do
        cases[#cases + 1] = { counted_step({ positive, mean, buffer },
          { 0.25, 0.75, 0.125, 0.5, 0.5 }), flags, { dense = true } }
      end
    end
  end
  cases[#cases + 1] = { counted_step({ false, false, false }, { 0.1, 0.9, 1e-8, 0, 0 }), nil,
    { wrong = true } }
  return cases
end

local matrices = {
  { { x{ 3, 4 }, x{ 4, 5 } } }, { { x{ 1, 1 }, x{ 1, 1 } } }, { { x{ 4 }, x{ 4 } } },
  { { x{ 4 }, x{ 4, 5 } } }, { { x{ 3, 4 }, x{ 4 } } }, { { x{ 2, 3, 4 }, x{ 2, 4, 5 } } },
  { { x{ 2, 3, 4 }, x{ 4, 5 } } }, { { x{ 3, 4 }, x{ 2, 4, 5 } } },
  { { x{ 2, 1, 3, 4 }, x{ 3, 4, 2 } } }, { { x{ 0, 4 }, x{ 4, 5 } } }, { { x{ 3, 0 }, x{ 0, 5 } } },
  { { x{ 3, 4 }, x{ 4, 0 } } }, { { x{ 2, 3, 4 }, x{ 4 } } },
  { { x{ 33, 70 }, x{ 70, 45 } }, nil, { grad = false } },
  { { x{ 7, 130 }, x{ 130, 17 } }, nil, { grad = false } },
  { { x{ 3, 4 }, x{ 3, 5 } }, nil, { wrong = true } },
  { { x{}, x{ 3, 5 } }, nil, { wrong = true } },
  { { x{ 2, 3, 4 }, x{ 3, 4, 5 } }, nil, { wrong = true } },
}

local linear = {
  { { x{ 3, 4 }, x{ 5, 4 }, x{ 5 } } }, { { x{ 3, 4 }, x{ 5, 4 } } },
  { { x{ 3, 4 }, x{ 5, 4 }, x{ 5 } }, { activation = "relu" } },
  { { x{ 3, 4 }, x{ 5, 4 } }, { activation = "relu" } }, { { x{ 4 }, x{ 5, 4 }, x{ 5 } } },
  { { x{ 2, 3, 4 }, x{ 5, 4 }, x{ 5 } } }, { { x{ 0, 4 }, x{ 5, 4 }, x{ 5 } } },
  { { x{ 33, 70 }, x{ 45, 70 }, x{ 45 } }, { activation = "relu" }, { grad = false } },
  { { x{ 3, 4 }, x{ 5, 3 }, x{ 5 } }, nil, { wrong = true } },
  { { x{ 3, 4 }, x{ 5, 4 }, x{ 4 } }, nil, { wrong = true } },
  { { x{ 3, 4 }, x{ 4 } }, nil, { wrong = true } },
}

local pow = binary(0.25, 2)
pow[#pow + 1] = { { x{ 2, 3 }, number(2, "same") } }
pow[#pow + 1] = { { x{ 2, 3 }, number(3, "same") } }

local weave = { sizes = { 2, 2 }, strides = { 3, 1 }, offset = 1 }

local samples = {
  neg = unary(), abs = unary(), sign = unary(), square = unary(), relu = unary(),
  exp = unary(), expm1 = unary(), log = unary(0.25, 4), log1p = unary(-0.5, 4),
  sqrt = unary(0.25, 4), rsqrt = unary(0.25, 4), reciprocal = unary(0.25, 4), sin = unary(-4, 4),
  cos = unary(-4, 4), tanh = unary(), sigmoid = unary(-4, 4), erf = unary(-3, 3), floor = unary(),
  ceil = unary(), round = unary(), softplus = unary(-4, 4), silu = unary(-4, 4), gelu = unary(-4,
    4),
  leaky_relu = unary(-2, 2, { slope = 0.25 }), elu = unary(-2, 2, { alpha = 0.5 }),
  clamp = unary(-2, 2, { min = -1, max = 1 }), isfinite = unary(), logical_not = { { { few{ 2,
    3 } } } },
  cast = { { { x{ 2, 3 } }, { dtype = "f64" } },
    { { x{ 2, 3 } }, { dtype = "f32" }, { second = false } },
    { { x{ 37 } }, { dtype = "i32" }, { grad = false } },
    { { x{} }, { dtype = "i64" }, { grad = false } },
    { { x{ 0, 2 } }, { dtype = "i64" }, { grad = false } },
    { { x({ 5 }, 0, 9) }, { dtype = "u8" }, { grad = false } },
    { { few{ 2, 3 } }, { dtype = "bool" } }, { { few{ 2, 3 } }, { dtype = "f16" } },
    { { few{ 37 } }, { dtype = "bf16" } } },
  copy = unary(),

  add = binary(), sub = binary(), mul = binary(), div = binary(0.25, 2), pow = pow,
  maximum = binary(), minimum = binary(),
  eq = compare(), ne = compare(), lt = compare(), le = compare(), gt = compare(), ge = compare(),
  logical_and = compare(), logical_or = compare(),
  where = { { { mask{ 2, 3 }, x{ 2, 3 }, x{ 2, 3 } } }, { { mask{ 2, 1 }, x{ 3 }, x{} } },
    { { mask{ 37 }, x{ 37 }, x{ 37 } } }, { { mask{ 0 }, x{ 0 }, x{} } }, { { mask{}, x{}, x{} } },
    { { mask{ 2 }, x{ 2, 3 }, x{ 3 } }, nil, { wrong = true } } },
  relu_backward = binary(-2, 2, { constant = { true } }),

  sum = reduce(), mean = reduce(), prod = reduce(0.5, 1.5), any = reduce(), all = reduce(),
  max = reduce(-2, 2, false, { ties = false }), min = reduce(-2, 2, false, { ties = false }),
  argmax = arg(), argmin = arg(),
  cumsum = along{ { { x{} }, { axis = 1 } } }, softmax = along{ { { x{ 2, 3 } } }, { { x{} } } },
  log_softmax = along{ { { x{ 2, 3 } } }, { { x{} } } },
  sort = along({ { { x{} } }, { { few{ 4, 40 } }, { axis = 2 }, { grad = false } },
    { { x{ 2, 0 } } }, { { few{ 40, 3 } }, { axis = 1, descending = true }, { grad = false } },
    { { x{ 3, 300 } }, { axis = 2, descending = true }, { grad = false, floats = true } } },
    { ties = false }),
  flip = { { { x{ 2, 3 } } }, { { x{ 2, 3, 4 } }, { axes = { 1, -1 } } }, { { x{} } },
    { { x{ 0, 2 } } },
    { { x{ 2, 3 } }, { axes = { 3 } }, { wrong = true } } },
  logsumexp = reduce(-2, 2, false), var = reduce(-2, 2, nil, { floats = true }),

  matmul = floats(matrices), linear = linear,

  reshape = { { { x{ 2, 6 } }, { sizes = { 3, 4 } } }, { { x{ 2, 6 } }, { sizes = { -1, 3 } } },
    { { x{ 1 } }, { sizes = {} } }, { { x{} }, { sizes = { 1, 1 } } },
    { { x{ 0, 2 } }, { sizes = { 4, 0 } } },
    { { x{ 2, 6 } }, { sizes = { 5, 2 } }, { wrong = true } },
    { { x{ 2, 6 } }, { sizes = { -1, -1 } }, { wrong = true } } },
  flatten = { { { x{ 2, 3, 4 } } }, { { x{ 2, 3, 4 } }, { first = 2 } }, { { x{} } },
    { { x{ 2, 0, 3 } }, { first = 2 } },
    { { x{ 2, 3, 2, 2 } }, { first = 2, last = -2 } },
    { { x{ 2, 3 } }, { first = 2, last = 1 }, { wrong = true } } },
  permute = { { { x{ 2, 3, 4 } }, { axes = { 3, 1, 2 } } }, { { x{ 2, 3 } }, { axes = { -1, 1 } } },
    { { x{ 0, 3 } }, { axes = { 2, 1 } } },
    { { x{ 2, 3 } }, { axes = { 1, 1 } }, { wrong = true } },
    { { x{ 2, 3 } }, { axes = { 1 } }, { wrong = true } } },
  transpose = { { { x{ 2, 3 } }, { first = 1, second = 2 } },
    { { x{ 2, 3, 4 } }, { first = 1, second = -1 } },
    { { x{ 0, 3 } }, { first = 1, second = 2 } },
    { { x{ 2, 3 } }, { first = 1, second = 3 }, { wrong = true } } },
  expand = { { { x{ 2, 1 } }, { sizes = { 2, 4 } } }, { { x{ 3 } }, { sizes = { 2, -1 } } },
    { { x{} }, { sizes = { 2 } } },
    { { x{ 1, 3 } }, { sizes = { 0, 3 } } },
    { { x{ 2, 3 } }, { sizes = { 4, 3 } }, { wrong = true } },
    { { x{ 2, 3 } }, { sizes = { 3 } }, { wrong = true } } },
  narrow = { { { x{ 4, 3 } }, { axis = 1, start = 2, length = 2 } },
    { { x{ 2, 7 } }, { axis = -1, start = 2, length = 3, step = 2 } },
    { { x{ 4 } }, { axis = 1, start = -2, length = 2 } },
    { { x{ 4 } }, { axis = 1, start = 1, length = 0 } },
    { { x{ 4 } }, { axis = 1, start = 3, length = 3 }, { wrong = true } } },
  select = { { { x{ 4, 3 } }, { axis = 1, index = 2 } },
    { { x{ 2, 3, 2 } }, { axis = -2, index = -1 } },
    { { x{ 3 } }, { axis = 1, index = 1 } },
    { { x{ 3 } }, { axis = 1, index = 4 }, { wrong = true } },
    { { x{} }, { axis = 1, index = 1 }, { wrong = true } } },
  squeeze = { { { x{ 1, 2, 1 } } }, { { x{ 1, 2, 1 } }, { axes = { 1 } } },
    { { x{ 2, 3 } }, { axes = { 1 } } }, { { x{} } },
    { { x{ 2 } }, { axes = { 2 } }, { wrong = true } } },
  unsqueeze = { { { x{ 2, 3 } }, { axis = 1 } }, { { x{ 2, 3 } }, { axis = -1 } },
    { { x{} }, { axis = 1 } },
    { { x{ 0 } }, { axis = 2 } }, { { x{ 2 } }, { axis = 4 }, { wrong = true } } },
  as_strided = { { { x{ 3, 3 } }, { sizes = { 2, 2 }, strides = { 3, 1 }, offset = 1 },
    { dense = true } },
    { { x{ 2, 3 } }, { sizes = { 3, 2 }, strides = { 1, 3 }, offset = 0 }, { dense = true } },
    { { x{ 2, 2 } }, { sizes = { 3, 2 }, strides = { 2, 1 }, offset = 0 }, { wrong = true } } },
  write_view = { { { x{ 3, 3 }, x{ 2, 2 } }, weave, { dense = true } } },

  index_select = { { { x{ 4, 3 }, positions({ 5 }, 4) }, { axis = 1 } },
    { { x{ 2, 3, 2 }, positions({ 4 }, 3) }, { axis = -2 } },
    { { x{ 4 }, positions({ 0 }, 4) }, { axis = 1 } },
    { { x{ 2, 3 }, positions({ 2 }, { 1, 4 }) }, { axis = 2 }, { wrong = true } },
    { { x{ 2, 3 }, positions({ 2 }, { 0, 1 }) }, { axis = 2 }, { wrong = true } } },
  index_add = { { { x{ 4, 3 }, x{ 5, 3 }, positions({ 5 }, 4) }, { axis = 1 } },
    { { x{ 2, 3, 2 }, x{ 2, 4, 2 }, positions({ 4 }, 3) }, { axis = 2 } },
    { { x{ 4 }, x{ 0 }, positions({ 0 }, 4) }, { axis = 1 } },
    { { x{ 4, 3 }, x{ 5, 2 }, positions({ 5 }, 4) }, { axis = 1 }, { wrong = true } },
    { { x{ 2 }, x{ 2 }, positions({ 2 }, { 1, 3 }) }, { axis = 1 }, { wrong = true } } },
  gather = { { { x{ 4, 3 }, positions({ 2, 3 }, 4) }, { axis = 1 } },
    { { x{ 4, 3 }, positions({ 4, 5 }, 3) }, { axis = 2 } },
    { { x{ 3 }, positions({ 0 }, 3) }, { axis = 1 } },
    { { x{ 4, 3 }, positions({ 2 }, 3) }, { axis = 1 }, { wrong = true } } },
  scatter_add = { { { x{ 4, 3 }, x{ 2, 3 }, positions({ 2, 3 }, 4) }, { axis = 1 } },
    { { x{ 4, 3 }, x{ 4, 5 }, positions({ 4, 5 }, 3) }, { axis = 2 } },
    { { x{ 3 }, x{ 0 }, positions({ 0 }, 3) }, { axis = 1 } },
    { { x{ 4, 3 }, x{ 2, 2 }, positions({ 2, 3 }, 4) }, { axis = 1 }, { wrong = true } } },
  embedding = { { { x{ 4, 3 }, positions({ 2, 5 }, 4) } },
    { { x{ 4, 3 }, positions({}, 4) } }, { { x{ 4, 3 }, positions({ 0 }, 4) } },
    { { x{ 4, 3 }, positions({ 2 }, { 1, 5 }) }, nil, { wrong = true } },
    { { x{ 4 }, positions({ 2 }, 4) }, nil, { wrong = true } } },
  one_hot = { { { positions({ 2, 3 }, 4) }, { classes = 4 } },
    { { positions({}, 4) }, { classes = 4 } }, { { positions({ 0 }, 4) }, { classes = 4 } },
    { { positions({ 2 }, { 1, 5 }) }, { classes = 4 }, { wrong = true } } },
  cat = { { { list{ x{ 2, 3 }, x{ 4, 3 } } } },
    { { list{ x{ 2, 3 }, x{ 2, 1 }, x{ 2, 2 } } }, { axis = -1 } }, { { list{ x{ 2, 3 } } } },
    { { list{ x{ 0, 3 }, x{ 2, 3 } } } },
    { { list{ x{ 2, 3 }, x{ 2, 2 } } }, nil, { wrong = true } } },

  pad = { { { x{ 2, 3 } }, { padding = { 1, 2 } } },
    { { x{ 2, 3, 2 } }, { padding = { 0, 1, 2, 0 }, value = 1.5 }, { floats = true } },
    { { x{ 4, 5 } }, { padding = { -1, 2, 1, -2 } } }, { { x{ 3 } }, { padding = { -2, -1 } } },
    { { x{} }, { padding = {} } }, { { x{ 0, 2 } }, { padding = { 1, 1, 1, 0 } } },
    { { x{ 2, 3 } }, { padding = { 1 } }, { wrong = true } },
    { { x{ 3 } }, { padding = { 1, 1, 1, 1 } }, { wrong = true } },
    { { x{ 2, 3 } }, { padding = { -2, -2 } }, { wrong = true } },
    { { x{ 2, 3 } }, { padding = { -4, 3 } }, { wrong = true } } },

  rand = { { {}, { sizes = { 2, 3 } } }, { {}, { sizes = { 5000 } } },
    { {}, { sizes = {} } }, { {}, { sizes = { 0 } } },
    { {}, { sizes = { 5000 }, dtype = "f64" } } },
  randn = { { {}, { sizes = { 2, 3 } } }, { {}, { sizes = { 5001 } } },
    { {}, { sizes = {} } }, { {}, { sizes = { 0 } } },
    { {}, { sizes = { 5000 }, dtype = "f64" } } },
  randint = { { {}, { low = 1, high = 6, sizes = { 5000 } } },
    { {}, { low = -3, high = 3, sizes = { 2, 3 } } },
    { {}, { low = 2, high = 1, sizes = { 2 } }, { wrong = true } } },
  dropout = { { { x{ 2, 3 } } }, { { x{ 5000 } }, { p = 0.25 }, { grad = false, floats = true } },
    { { x{ 37 } }, { p = 0.25 } }, { { x{} }, { p = 0 } },
    { { x{ 3 } }, { p = 1 }, { grad = false } },
    { { x{ 0 } } }, { { x{ 3 } }, { p = 1.5 }, { wrong = true } } },

  full = { { { number(2.5) }, { sizes = { 2, 3 } } },
    { { number(-1) }, { sizes = {}, dtype = "f64" } },
    { { number(3) }, { sizes = { 0 }, dtype = "i64" } },
    { { number(1) }, { sizes = { -2 } }, { wrong = true } } },
  arange = { { {}, { start = 1, step = 1, length = 5, dtype = "i64" } },
    { {}, { start = 0.5, step = -0.25, length = 37 } }, { {}, { start = 0, step = 1, length = 0 } },
    { {}, { start = 0, step = 1, length = -1 }, { wrong = true } } },

  lerp_all = { { { list{ x{ 2, 3 }, x{ 37 }, x{} }, list{ x{ 2, 3 }, x{ 37 }, x{} },
    number(0.25, "same") }, nil, { dense = true } } },
  sgd_step = sgd(), adam_step = adam(), rmsprop_step = rmsprop(),
  total_norm = { { { list{ x{ 2, 3 }, x{ 37 }, x{} } } },
    { { list{ x{ 3000 } } } } },
  scale_all = { { { list{ x{ 2, 3 }, x{ 37 }, x{} }, number(0.5, "same") }, nil,
    { dense = true } } },
}

-- Families with samples of their own.
for _, family in ipairs{ "conv", "pool", "norm", "recurrent", "loss" } do
  for op, cases in pairs(require("tests.ops.samples_" .. family)) do samples[op] = cases end
end
return samples
