-- Inputs for the convolutions; the forms are those of samples.lua.

local function x(shape, low, high) return { shape = shape, low = low or -2, high = high or 2 } end

local no_grad = { grad = false, floats = true, tolerance = 1e-4 }
local long_sums = { grad = false, floats = true, tolerance = 1e-3 }
local floats = { floats = true }

local conv2d = {
  { { x{ 2, 2, 4, 5 }, x{ 3, 2, 3, 3 }, x{ 3 } } },
  { { x{ 2, 2, 4, 5 }, x{ 3, 2, 3, 3 } }, { padding = 1 }, floats },
  { { x{ 1, 2, 5, 6 }, x{ 2, 2, 3, 2 }, x{ 2 } }, { stride = { 2, 3 }, padding = { 1, 0 } },
    floats },
  { { x{ 1, 1, 7, 6 }, x{ 2, 1, 2, 3 }, x{ 2 } }, { dilation = { 3, 2 }, padding = { 2, 1 } },
    floats },
  { { x{ 1, 4, 3, 3 }, x{ 6, 2, 2, 2 }, x{ 6 } }, { groups = 2, stride = 2, padding = 2 }, floats },
  { { x{ 2, 3, 4, 4 }, x{ 3, 1, 3, 3 }, x{ 3 } }, { groups = 3, padding = 1 }, floats },
  { { x{ 2, 3, 5, 4 }, x{ 6, 1, 3, 2 }, x{ 6 } }, { groups = 3, padding = { 0, 1 }, stride = 2 },
    floats },
  { { x{ 2, 3, 4 }, x{ 2, 2, 1, 1 }, x{ 2 } }, nil, floats },
  { { x{ 2, 1, 3, 3 }, x{ 1, 1, 1, 1 } }, { padding = 3, stride = 4 }, floats },
  { { x{ 0, 2, 4, 4 }, x{ 3, 2, 3, 3 }, x{ 3 } }, nil, floats },
  { { x{ 9, 3, 9, 11 }, x{ 2, 3, 5, 5 }, x{ 2 } }, { padding = 2 }, no_grad },
  { { x{ 1, 3, 40, 40 }, x{ 3, 3, 5, 5 }, x{ 3 } }, { padding = 2, stride = 1 }, no_grad },
  { { x{ 2, 3, 19, 21 }, x{ 3, 1, 3, 3 }, x{ 3 } }, { groups = 3, padding = 1 }, no_grad },
  -- columns that taps share, in blocks within an image, in pieces of the channels, with holes
  { { x{ 2, 12, 13, 15 }, x{ 5, 12, 3, 3 }, x{ 5 } }, { padding = 1 }, no_grad },
  { { x{ 2, 12, 18, 17 }, x{ 2, 12, 3, 3 }, x{ 2 } }, { padding = { 0, 2 }, dilation = { 2, 3 } },
    no_grad },
  { { x{ 1, 24, 12, 13 }, x{ 4, 12, 2, 3 }, x{ 4 } }, { groups = 2, stride = { 1, 2 },
    padding = { 1, 8 } }, no_grad },
  { { x{ 1, 120, 16, 16 }, x{ 1, 120, 3, 9 }, x{ 1 } }, { padding = { 1, 4 } }, long_sums },
  { { x{ 1, 70, 16, 16 }, x{ 2, 70, 5, 5 }, x{ 2 } }, { padding = 2, stride = 2 }, long_sums },
  { { x{ 2, 3, 4, 4 }, x{ 2, 2, 3, 3 } }, nil, { wrong = true } },
  { { x{ 2, 3, 4, 4 }, x{ 2, 3, 5, 5 } }, nil, { wrong = true } },
  { { x{ 2, 3, 4, 4 }, x{ 2, 3, 3, 3 }, x{ 3 } }, nil, { wrong = true } },
  { { x{ 2, 4, 4, 4 }, x{ 3, 2, 3, 3 } }, { groups = 2 }, { wrong = true } },
  { { x{ 2, 3, 4, 4 }, x{ 2, 3, 3, 3 } }, { stride = 0 }, { wrong = true } },
  { { x{ 2, 3, 4, 4 }, x{ 2, 3, 3, 3 } }, { padding = -1 }, { wrong = true } },
  { { x{ 2, 3, 4, 4 }, x{ 2, 3, 3, 3 } }, { dilation = { 1, 1, 1 } }, { wrong = true } },
  { { x{ 2, 3, 4, 4 }, x{ 2, 3, 3, 3 } }, { groups = 0 }, { wrong = true } },
  { { x{ 3, 4 }, x{ 2, 3, 3, 3 } }, nil, { wrong = true } },
}

local conv_transpose2d = {
  { { x{ 2, 2, 3, 2 }, x{ 2, 3, 3, 3 }, x{ 3 } } },
  { { x{ 1, 2, 3, 4 }, x{ 2, 3, 3, 2 } }, { stride = { 2, 3 }, padding = { 1, 0 } }, floats },
  { { x{ 1, 2, 3, 3 }, x{ 2, 2, 3, 3 }, x{ 2 } },
    { stride = 2, padding = 1, output_padding = { 1, 0 } }, floats },
  { { x{ 1, 4, 3, 3 }, x{ 4, 2, 2, 2 }, x{ 4 } }, { groups = 2, stride = 2, dilation = 2 },
    floats },
  { { x{ 1, 2, 3, 4 }, x{ 2, 2, 2, 3 }, x{ 2 } },
    { stride = { 1, 2 }, dilation = { 3, 2 }, padding = 1, output_padding = { 2, 1 } }, floats },
  { { x{ 1, 2, 3, 3 }, x{ 2, 2, 2, 2 } }, { dilation = { 1, 2 }, output_padding = { 0, 1 } },
    floats },
  { { x{ 2, 3, 4, 3 }, x{ 3, 1, 3, 3 }, x{ 3 } }, { groups = 3, padding = 1 }, floats },
  { { x{ 2, 3, 2 }, x{ 2, 2, 2, 2 }, x{ 2 } }, { stride = 2 }, floats },
  { { x{ 0, 2, 3, 3 }, x{ 2, 3, 3, 3 }, x{ 3 } }, nil, floats },
  { { x{ 9, 3, 9, 7 }, x{ 3, 4, 5, 5 }, x{ 4 } }, { padding = 1 }, no_grad },
  { { x{ 1, 2, 30, 40 }, x{ 2, 3, 5, 5 }, x{ 3 } }, { padding = 2, stride = 2 }, no_grad },
  { { x{ 2, 12, 13, 15 }, x{ 12, 5, 3, 3 }, x{ 5 } }, { padding = 1 }, no_grad },
  { { x{ 1, 16, 15, 14 }, x{ 16, 2, 3, 4 }, x{ 2 } },
    { padding = { 1, 0 }, stride = { 1, 2 }, dilation = { 2, 1 } }, no_grad },
  { { x{ 1, 2, 4, 5 }, x{ 2, 2, 2, 3 }, x{ 2 } }, { stride = 3, dilation = { 3, 2 } }, floats },
  { { x{ 2, 3, 4, 4 }, x{ 2, 2, 3, 3 } }, nil, { wrong = true } },
  { { x{ 2, 2, 4, 4 }, x{ 2, 2, 3, 3 } }, { output_padding = 1 }, { wrong = true } },
  { { x{ 2, 2, 1, 1 }, x{ 2, 2, 1, 1 } }, { padding = 1 }, { wrong = true } },
  { { x{ 2, 2, 1, 1 }, x{ 2, 2, 2, 2 } }, { padding = 1 }, { wrong = true } },
  { { x{ 2, 2, 4, 4 }, x{ 2, 3, 3, 3 }, x{ 2 } }, nil, { wrong = true } },
}

local conv2d_weight_grad = {
  { { x{ 2, 2, 4, 5 }, x{ 2, 3, 2, 3 } }, { kernel = 3 } },
  { { x{ 1, 4, 5, 6 }, x{ 1, 2, 3, 2 } },
    { kernel = { 3, 2 }, stride = { 2, 3 }, padding = { 1, 0 }, groups = 2 }, floats },
  { { x{ 2, 3, 4, 4 }, x{ 2, 3, 4, 4 } }, { kernel = 3, padding = 1, groups = 3 }, floats },
  { { x{ 3, 2, 4, 4 }, x{ 3, 2, 2, 2 } }, { kernel = 2, dilation = 2 }, floats },
  { { x{ 2, 4, 4 }, x{ 3, 3, 3 } }, { kernel = 2 }, floats },
  { { x{ 0, 2, 4, 4 }, x{ 0, 3, 2, 2 } }, { kernel = 3 }, floats },
  { { x{ 1, 3, 40, 40 }, x{ 1, 2, 40, 40 } }, { kernel = 5, padding = 2 },
    no_grad },
  { { x{ 3, 12, 13, 15 }, x{ 3, 5, 13, 15 } }, { kernel = 3, padding = 1 }, no_grad },
  { { x{ 1, 120, 16, 16 }, x{ 1, 1, 16, 16 } }, { kernel = { 3, 9 }, padding = { 1, 4 } },
    no_grad },
  { { x{ 1, 70, 16, 16 }, x{ 1, 2, 8, 8 } }, { kernel = 5, padding = 2, stride = 2 }, no_grad },
  { { x{ 2, 2, 4, 5 }, x{ 2, 3, 2, 2 } }, { kernel = 3 }, { wrong = true } },
  { { x{ 2, 2, 4, 5 }, x{ 1, 3, 2, 3 } }, { kernel = 3 }, { wrong = true } },
  { { x{ 2, 3, 4, 5 }, x{ 2, 3, 2, 3 } }, { kernel = 3, groups = 2 }, { wrong = true } },
}

return { conv2d = conv2d, conv_transpose2d = conv_transpose2d,
  conv2d_weight_grad = conv2d_weight_grad }
