-- Inputs for recurrent layers; the forms are those of samples.lua.

local function x(shape, low, high) return { shape = shape, low = low or -2, high = high or 2 } end

local once = { floats = true, second = false, slack = 1e-5, tolerance = 2e-5 }
local near = { floats = true, tolerance = 2e-5 }
local long = { floats = true, grad = false, tolerance = 2e-5 }

return {
  lstm = {
    { { x{ 3, 2, 12 }, x{ 2, 3 }, x{ 2, 3 }, x({ 12, 3 }, -1, 1) }, nil, once },
    { { x{ 1, 3, 8 }, x{ 3, 2 }, x{ 3, 2 }, x{ 8, 2 } }, nil, once },
    { { x{ 2, 0, 8 }, x{ 0, 2 }, x{ 0, 2 }, x{ 8, 2 } }, nil, once },
    { { x{ 4, 3, 148 }, x{ 3, 37 }, x{ 3, 37 }, x({ 148, 37 }, -0.25, 0.25) }, nil, long },
    { { x{ 3, 2, 10 }, x{ 2, 3 }, x{ 2, 3 }, x{ 12, 3 } }, nil, { wrong = true } },
    { { x{ 0, 2, 12 }, x{ 2, 3 }, x{ 2, 3 }, x{ 12, 3 } }, nil, { wrong = true } },
    { { x{ 3, 2, 12 }, x{ 3, 3 }, x{ 2, 3 }, x{ 12, 3 } }, nil, { wrong = true } },
    { { x{ 3, 2, 12 }, x{ 2, 3 }, x{ 2, 3 }, x{ 3, 12 } }, nil, { wrong = true } },
  },
  lstm_backward = {
    { { x{ 2, 3 }, x({ 12, 3 }, -1, 1), x({ 3, 2, 12 }, 0.1, 0.9), x{ 3, 2, 3 }, x{ 3, 2, 3 },
      x{ 2, 3 } }, nil, near },
    { { x{ 2, 3 }, x({ 12, 3 }, -1, 1), x({ 2, 2, 12 }, 0.1, 0.9), x{ 2, 2, 3 }, x{ 2, 2, 3 } },
      nil, near },
    { { x{ 2, 3 }, x({ 12, 3 }, -1, 1), x({ 2, 2, 12 }, 0.1, 0.9), x{ 2, 2, 3 }, false,
      x{ 2, 3 } }, nil, near },
    { { x{ 2, 3 }, x{ 12, 3 }, x{ 3, 2, 12 }, x{ 3, 2, 3 }, x{ 2, 2, 3 } }, nil, { wrong = true } },
    { { x{ 2, 3 }, x{ 12, 3 }, x{ 3, 2, 12 }, x{ 2, 2, 3 }, x{ 3, 2, 3 } }, nil, { wrong = true } },
    { { x{ 2, 3 }, x{ 12, 3 }, x{ 3, 2, 12 }, x{ 3, 2, 3 }, x{ 3, 2, 3 }, x{ 3, 3 } }, nil,
      { wrong = true } },
  },
  gru = {
    { { x{ 3, 2, 9 }, x{ 2, 3 }, x({ 9, 3 }, -1, 1), x{ 9 } }, nil, once },
    { { x{ 1, 3, 6 }, x{ 3, 2 }, x{ 6, 2 }, false }, nil, once },
    { { x{ 2, 0, 6 }, x{ 0, 2 }, x{ 6, 2 }, x{ 6 } }, nil, once },
    { { x{ 4, 3, 111 }, x{ 3, 37 }, x({ 111, 37 }, -0.25, 0.25), x{ 111 } }, nil, long },
    { { x{ 3, 2, 10 }, x{ 2, 3 }, x{ 9, 3 }, x{ 9 } }, nil, { wrong = true } },
    { { x{ 0, 2, 9 }, x{ 2, 3 }, x{ 9, 3 }, x{ 9 } }, nil, { wrong = true } },
    { { x{ 3, 2, 9 }, x{ 3, 3 }, x{ 9, 3 }, x{ 9 } }, nil, { wrong = true } },
    { { x{ 3, 2, 9 }, x{ 2, 3 }, x{ 3, 9 }, x{ 9 } }, nil, { wrong = true } },
    { { x{ 3, 2, 9 }, x{ 2, 3 }, x{ 9, 3 }, x{ 3 } }, nil, { wrong = true } },
  },
  gru_backward = {
    { { x{ 2, 3 }, x({ 9, 3 }, -1, 1), x({ 3, 2, 12 }, 0.1, 0.9), x{ 3, 2, 3 }, x{ 3, 2, 3 } }, nil,
      near },
    { { x{ 2, 3 }, x({ 9, 3 }, -1, 1), x({ 1, 2, 12 }, 0.1, 0.9), x{ 1, 2, 3 }, x{ 1, 2, 3 } }, nil,
      near },
    { { x{ 2, 3 }, x{ 9, 3 }, x{ 3, 2, 9 }, x{ 3, 2, 3 }, x{ 3, 2, 3 } }, nil, { wrong = true } },
    { { x{ 2, 3 }, x{ 9, 3 }, x{ 3, 2, 12 }, x{ 3, 2, 3 }, x{ 2, 2, 3 } }, nil, { wrong = true } },
  },
  rnn = {
    { { x{ 3, 2, 3 }, x{ 2, 3 }, x({ 3, 3 }, -1, 1) }, nil, once },
    { { x{ 3, 2, 3 }, x{ 2, 3 }, x({ 3, 3 }, -1, 1) }, { relu = true }, once },
    { { x{ 1, 3, 2 }, x{ 3, 2 }, x{ 2, 2 } }, nil, once },
    { { x{ 2, 0, 2 }, x{ 0, 2 }, x{ 2, 2 } }, nil, once },
    { { x{ 4, 3, 37 }, x{ 3, 37 }, x({ 37, 37 }, -0.25, 0.25) }, nil, long },
    { { x{ 0, 2, 3 }, x{ 2, 3 }, x{ 3, 3 } }, nil, { wrong = true } },
    { { x{ 3, 2, 3 }, x{ 2, 2 }, x{ 3, 3 } }, nil, { wrong = true } },
    { { x{ 3, 2, 3 }, x{ 2, 3 }, x{ 3, 2 } }, nil, { wrong = true } },
  },
  rnn_backward = {
    { { x({ 3, 3 }, -1, 1), x({ 3, 2, 3 }, -0.9, 0.9), x{ 3, 2, 3 } }, nil, near },
    { { x({ 3, 3 }, -1, 1), x{ 2, 2, 3 }, x{ 2, 2, 3 } }, { relu = true }, near },
    { { x{ 3, 2 }, x{ 3, 2, 3 }, x{ 3, 2, 3 } }, nil, { wrong = true } },
    { { x{ 3, 3 }, x{ 3, 2, 2 }, x{ 3, 2, 3 } }, nil, { wrong = true } },
    { { x{ 3, 3 }, x{ 3, 2, 3 }, x{ 2, 2, 3 } }, nil, { wrong = true } },
  },
}
