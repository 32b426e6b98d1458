-- Inputs for normalisation; the forms are those of samples.lua.

local function x(shape, low, high) return { shape = shape, low = low or -2, high = high or 2 } end

local train = { training = true }
local function stats(n) return x({ n }), x({ n }, 0.5, 2) end

--- Running statistics are updated in place: dense, and without a gradient.
local function updating(case)
  case[3] = { dense = true, floats = true, constant = { [4] = true, [5] = true } }
  return case
end

local m3, v3 = stats(3)
local m2, v2 = stats(2)

return {
  batch_norm = {
    { { x{ 4, 3 }, x{ 3 }, x{ 3 } }, train, { floats = true } },
    { { x{ 3, 2, 2, 3 }, x{ 2 }, x{ 2 } }, { training = true, eps = 0.25 }, { floats = true } },
    { { x{ 2, 3, 4 } }, train, { floats = true } },
    { { x{ 5, 37 }, x{ 37 }, x{ 37 } }, train, { grad = false, floats = true } },
    { { x{ 3, 3, 20, 31 }, x{ 3 }, x{ 3 } }, train, { grad = false, floats = true } },
    updating{ { x{ 4, 3 }, x{ 3 }, x{ 3 }, m3, v3 }, train },
    updating{ { x{ 4, 2, 3 }, x{ 2 }, x{ 2 }, m2, v2 } },
    updating{ { x{ 4, 3 }, false, false, m3, v3 } },
    updating{ { x{ 0, 3 }, x{ 3 }, x{ 3 }, m3, v3 } },
    { { x{ 4, 3 }, x{ 3 }, x{ 3 } }, nil, { wrong = true } },
    { { x{ 1, 3 } }, train, { wrong = true } },
    { { x{ 4, 3 }, x{ 4 }, x{ 3 } }, train, { wrong = true } },
    { { x{ 4, 3 }, x{ 3 }, x{ 3 }, m3 }, train, { wrong = true } },
    { { x{ 4 } }, train, { wrong = true } },
  },
  batch_norm_backward = {
    { { x{ 4, 3 }, x{ 3 }, x{ 3 }, x({ 3 }, 0.5, 2), x{ 4, 3 } }, train, { floats = true } },
    { { x{ 2, 3, 4 }, false, x{ 3 }, x({ 3 }, 0.5, 2), x{ 2, 3, 4 } }, train, { floats = true } },
    { { x{ 2, 3, 4 }, x{ 3 }, x{ 3 }, x({ 3 }, 0.5, 2), x{ 2, 3, 4 } }, nil, { floats = true } },
    { { x{ 4, 3 }, x{ 3 }, x{ 3 }, x{ 3 }, x{ 3, 3 } }, train, { wrong = true } },
    { { x{ 4, 3 }, x{ 3 }, x{ 2 }, x{ 3 }, x{ 4, 3 } }, train, { wrong = true } },
  },
  layer_norm = {
    { { x{ 3, 5 }, x{ 5 }, x{ 5 } } }, { { x{ 2, 3, 4 } }, nil, { floats = true } },
    { { x{ 2, 3, 4 }, x{ 3, 4 }, x{ 3, 4 } }, { axes = { -2, -1 }, eps = 0.25 },
      { floats = true } },
    { { x{ 2, 37 }, x{ 37 } }, nil, { floats = true, slack = 1e-5 } },
    { { x{ 5 }, x{ 5 }, x{ 5 } } }, { { x{ 0, 5 }, x{ 5 }, x{ 5 } } },
    { { x{ 3, 1100 }, x{ 1100 }, x{ 1100 } }, nil, { grad = false, floats = true } },
    { { x{ 3, 5 }, x{ 4 } }, nil, { wrong = true } },
    { { x{ 3, 5 } }, { axes = { 1 } }, { wrong = true } },
    { { x{ 3, 5 } }, { axes = { 3 } }, { wrong = true } },
  },
  layer_norm_backward = {
    { { x{ 3, 5 }, x{ 5 }, x{ 3 }, x({ 3 }, 0.5, 2), x{ 3, 5 } }, nil, { floats = true } },
    { { x{ 2, 3, 4 }, x{ 3, 4 }, x{ 2 }, x({ 2 }, 0.5, 2), x{ 2, 3, 4 } }, { axes = { 2, 3 } },
      { floats = true } },
    { { x{ 3, 5 }, x{ 5 }, x{ 3 }, x{ 3 }, x{ 3, 4 } }, nil, { wrong = true } },
    { { x{ 3, 5 }, x{ 5 }, x{ 2 }, x{ 3 }, x{ 3, 5 } }, nil, { wrong = true } },
  },
  group_norm = {
    { { x{ 2, 4, 3 }, x{ 4 }, x{ 4 } }, { groups = 2 }, { floats = true } },
    { { x{ 2, 6, 2, 2 }, x{ 6 } }, { groups = 3, eps = 0.25 }, { floats = true } },
    { { x{ 3, 4 } }, { groups = 1 }, { floats = true } },
    { { x{ 0, 4, 3 }, x{ 4 }, x{ 4 } }, { groups = 2 }, { floats = true } },
    { { x{ 2, 4, 3 } }, { groups = 3 }, { wrong = true } },
    { { x{ 2, 4, 3 }, x{ 3 } }, { groups = 2 }, { wrong = true } },
    { { x{ 2, 4, 3 } }, nil, { wrong = true } },
  },
}
