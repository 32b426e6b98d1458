-- What an LSTM means: its equations, element by element.

local array = require "tests.ops.array"

local R = {}

local function sigmoid(v) return 1 / (1 + math.exp(-v)) end

local function tanh(v) return 2 * sigmoid(2 * v) - 1 end

--- The outputs of all steps; gates are input, forget, cell, output.
function R.lstm(_, gates, h0, c0, weight)
  local steps, n, hidden = gates.shape[1], gates.shape[2], gates.shape[3] / 4
  local data = {}
  for row = 0, n - 1 do
    local h, c = {}, {}
    for k = 1, hidden do h[k], c[k] = h0.data[row * hidden + k], c0.data[row * hidden + k] end
    for t = 0, steps - 1 do
      local at, a = (t * n + row) * 4 * hidden, {}
      for j = 1, 4 * hidden do
        a[j] = gates.data[at + j]
        for k = 1, hidden do a[j] = a[j] + weight.data[(j - 1) * hidden + k] * h[k] end
      end
      for k = 1, hidden do
        c[k] = sigmoid(a[hidden + k]) * c[k] + sigmoid(a[k]) * tanh(a[2 * hidden + k])
        h[k] = sigmoid(a[3 * hidden + k]) * tanh(c[k])
        data[(t * n + row) * hidden + k] = h[k]
      end
    end
  end
  return array.new({ steps, n, hidden }, data)
end

--- The gradient of the gates from activated gates and cells.
function R.lstm_backward(_, c0, weight, active, cells, dy, dcell)
  local steps, n, hidden = active.shape[1], active.shape[2], active.shape[3] / 4
  local out = array.build(active.shape, function() return 0 end)
  for row = 0, n - 1 do
    local dh, dc = {}, {}
    for k = 1, hidden do dh[k], dc[k] = 0, dcell and dcell.data[row * hidden + k] or 0 end
    for t = steps - 1, 0, -1 do
      local at, place = (t * n + row) * 4 * hidden, (t * n + row) * hidden
      for k = 1, hidden do
        local i, f = active.data[at + k], active.data[at + hidden + k]
        local g, o = active.data[at + 2 * hidden + k], active.data[at + 3 * hidden + k]
        local before = t > 0 and cells.data[place - n * hidden + k] or c0.data[row * hidden + k]
        local d, tc = dh[k] + (dy and dy.data[place + k] or 0), tanh(cells.data[place + k])
        local c = dc[k] + d * o * (1 - tc * tc)
        out.data[at + k], out.data[at + hidden + k] = c * g * i * (1 - i), c * before * f * (1 - f)
        out.data[at + 2 * hidden + k] = c * i * (1 - g * g)
        out.data[at + 3 * hidden + k] = d * tc * o * (1 - o)
        dc[k] = c * f
      end
      for k = 1, hidden do
        dh[k] = 0
        for j = 1, 4 * hidden do
          dh[k] = dh[k] + out.data[at + j] * weight.data[(j - 1) * hidden + k]
        end
      end
    end
  end
  return out
end

return R
