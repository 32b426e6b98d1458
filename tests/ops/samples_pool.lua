-- Inputs for pooling; the forms are those of samples.lua.

local function x(shape) return { shape = shape, low = -2, high = 2 } end
local function places(shape, values) return { shape = shape, values = values, dtype = "i32" } end

local function windows(options, extra)
  local cases = {
    { { x{ 2, 3, 4, 6 } }, { kernel = 2 } },
    { { x{ 1, 2, 5, 6 } }, { kernel = { 3, 2 }, stride = { 2, 1 }, padding = { 1, 0 } } },
    { { x{ 2, 5, 7 } }, { kernel = 3, stride = 2, ceil_mode = true } },
    { { x{ 1, 1, 6, 5 } }, { kernel = 2, stride = 3, padding = 1, ceil_mode = true } },
    { { x{ 0, 2, 4, 4 } }, { kernel = 2 } },
    { { x{ 1, 2, 3, 9 } }, { kernel = 3, stride = 1, padding = 1 } },
    { { x{ 3, 2, 9, 8 } }, { kernel = 3, stride = 1, padding = 1 }, { grad = false } },
    { { x{ 2, 3, 4, 6 } }, { kernel = 5 }, { wrong = true } },
    { { x{ 2, 3, 4, 6 } }, { kernel = 2, padding = 2 }, { wrong = true } },
    { { x{ 2, 3, 4, 6 } }, { kernel = 2, stride = 0 }, { wrong = true } },
    { { x{ 4, 6 } }, { kernel = 2 }, { wrong = true } },
    { { x{ 2, 3, 4, 6 } }, nil, { wrong = true } },
  }
  for _, case in ipairs(extra) do cases[#cases + 1] = case end
  for _, case in ipairs(cases) do
    local all = { floats = true }
    for k, v in pairs(options) do all[k] = v end
    for k, v in pairs(case[3] or {}) do all[k] = v end
    case[3] = all
  end
  return cases
end

local function adaptive(ties)
  return {
    { { x{ 2, 3, 5, 7 } }, { sizes = { 2, 3 } }, { ties = ties } },
    { { x{ 2, 4, 6 } }, { sizes = 1 }, { ties = ties, floats = true } },
    { { x{ 1, 2, 2, 3 } }, { sizes = { 3, 5 } }, { ties = ties, floats = true } },
    { { x{ 0, 2, 4, 4 } }, { sizes = 2 }, { ties = ties } },
    { { x{ 2, 3, 5, 7 } }, { sizes = 0 }, { wrong = true } },
    { { x{ 5, 7 } }, { sizes = 2 }, { wrong = true } },
  }
end

return {
  max_pool2d = windows({ ties = false }, {
    { { x{ 1, 2, 7, 8 } },
      { kernel = { 2, 3 }, dilation = { 3, 2 }, stride = 1, padding = { 1, 1 } } },
    { { x{ 1, 2, 7, 8 } }, { kernel = 3, dilation = 4 }, { wrong = true } },
  }),
  avg_pool2d = windows({}, {
    { { x{ 1, 2, 5, 6 } }, { kernel = 3, stride = 2, padding = 1, count_include_pad = false } },
    { { x{ 1, 2, 6, 6 } },
      { kernel = 3, stride = 2, padding = 1, ceil_mode = true, count_include_pad = false } },
    { { x{ 1, 2, 6, 6 } }, { kernel = 3, stride = 2, padding = 1, ceil_mode = true } },
  }),
  adaptive_max_pool2d = adaptive(false), adaptive_avg_pool2d = adaptive(),
  max_pool2d_backward = {
    { { x{ 2, 1, 2, 2 }, places({ 2, 1, 2, 2 }, { 0, 3, 3, 5, 2, 1, 4, 0 }) },
      { sizes = { 2, 3 } } },
    { { x{ 1, 1, 2 }, places({ 1, 1, 2 }, { 0, 6 }) }, { sizes = { 2, 3 } }, { wrong = true } },
    { { x{ 1, 1, 2 }, places({ 1, 1, 1 }, { 0 }) }, { sizes = { 2, 3 } }, { wrong = true } },
  },
  avg_pool2d_backward = {
    { { x{ 2, 1, 2, 3 } }, { sizes = { 4, 6 }, kernel = 2 } },
    { { x{ 1, 3, 3 } }, { sizes = { 5, 5 }, kernel = 3, stride = 2, padding = 1,
      count_include_pad = false } },
    { { x{ 2, 1, 2, 3 } }, { sizes = { 4, 4 }, kernel = 2 }, { wrong = true } },
  },
  adaptive_avg_pool2d_backward = {
    { { x{ 2, 1, 2, 3 } }, { sizes = { 5, 7 } } }, { { x{ 2, 1, 1 } }, { sizes = { 3, 2 } } },
    { { x{ 2, 1, 1 } }, { sizes = { 3, 0 } }, { wrong = true } },
  },
}
