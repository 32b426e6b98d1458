-- What recurrent layers mean: their equations, element by element.

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

-- Element j of the recurrent product: bias plus row j of the weight times h.
local function product(weight, h, j, bias)
  local sum, hidden = bias and bias.data[j] or 0, #h
  for k = 1, hidden do sum = sum + weight.data[(j - 1) * hidden + k] * h[k] end
  return sum
end

--- The outputs of all steps; step(h, at) makes the next h, at being where the step's gates begin.
local function outputs(gates, h0, count, step)
  local steps, n, hidden = gates.shape[1], gates.shape[2], gates.shape[3] / count
  local data = {}
  for row = 0, n - 1 do
    local h = {}
    for k = 1, hidden do h[k] = h0.data[row * hidden + k] end
    for t = 0, steps - 1 do
      h = step(h, (t * n + row) * count * hidden)
      for k = 1, hidden do data[(t * n + row) * hidden + k] = h[k] end
    end
  end
  return array.new({ steps, n, hidden }, data)
end

--- Gates are reset, update, new.
function R.gru(_, gates, h0, weight, bias)
  return outputs(gates, h0, 3, function(h, at)
    local hidden, after = #h, {}
    for k = 1, hidden do
      local r = sigmoid(gates.data[at + k] + product(weight, h, k, bias))
      local z = sigmoid(gates.data[at + hidden + k] + product(weight, h, hidden + k, bias))
      local new = tanh(gates.data[at + 2 * hidden + k]
        + r * product(weight, h, 2 * hidden + k, bias))
      after[k] = (1 - z) * new + z * h[k]
    end
    return after
  end)
end

function R.rnn(a, gates, h0, weight)
  return outputs(gates, h0, 1, function(h, at)
    local after = {}
    for k = 1, #h do
      local z = gates.data[at + k] + product(weight, h, k)
      after[k] = a.relu and math.max(z, 0) or not a.relu and tanh(z)
    end
    return after
  end)
end

--- The gradients of the gates, from the last step to the first; step(d, place) gives those of one
-- step and row by gate, those of its products, and what goes to the step before besides.
local function gate_gradients(dy, weight, count, step)
  local steps, n, hidden = dy.shape[1], dy.shape[2], dy.shape[3]
  local out = array.build({ steps, n, count * hidden }, function() return 0 end)
  for row = 0, n - 1 do
    local dh = {}
    for k = 1, hidden do dh[k] = 0 end
    for t = steps - 1, 0, -1 do
      local place, products = t * n + row, {}
      for k = 1, hidden do
        local gates, of_products, rest = step(dh[k] + dy.data[place * hidden + k], place, t, row, k)
        for g = 1, count do
          out.data[(place * count + g - 1) * hidden + k] = gates[g]
          products[(g - 1) * hidden + k] = of_products[g]
        end
        dh[k] = rest
      end
      for k = 1, hidden do
        for j = 1, count * hidden do
          dh[k] = dh[k] + products[j] * weight.data[(j - 1) * hidden + k]
        end
      end
    end
  end
  return out
end

--- `active` holds reset, update, new and the new gate's product.
function R.gru_backward(_, h0, weight, active, y, dy)
  local n, hidden = y.shape[2], y.shape[3]
  return gate_gradients(dy, weight, 3, function(d, place, t, row, k)
    local at = place * 4 * hidden + k
    local r, z = active.data[at], active.data[at + hidden]
    local new, q = active.data[at + 2 * hidden], active.data[at + 3 * hidden]
    local before = t > 0 and y.data[(place - n) * hidden + k] or h0.data[row * hidden + k]
    local dnew, dz = d * (1 - z) * (1 - new * new), d * (before - new) * z * (1 - z)
    local dr = dnew * q * r * (1 - r)
    return { dr, dz, dnew }, { dr, dz, dnew * r }, d * z
  end)
end

function R.rnn_backward(a, weight, y, dy)
  return gate_gradients(dy, weight, 1, function(d, place, _, _, k)
    local v = y.data[place * y.shape[3] + k]
    local gate = { a.relu and (v > 0 and d or 0) or not a.relu and d * (1 - v * v) }
    return gate, gate, 0
  end)
end

return R
