-- What the products mean: sums of products in the plainest order.

local array = require "tests.ops.array"
local map, build = array.map, array.build

local R = {}

local function lead(x)
  local shape = {}
  for d = 1, #x.shape - 2 do shape[d] = x.shape[d] end
  return { shape = shape }
end

--- Vectors count as a row at the left and as a column at the right, as in PyTorch.
function R.matmul(_, x, y)
  local left, right = #x.shape == 1, #y.shape == 1
  if left then x = array.new({ 1, x.shape[1] }, x.data) end
  if right then y = array.new({ y.shape[1], 1 }, y.data) end
  local rx, ry = #x.shape, #y.shape
  local batch = array.broadcast_shape{ lead(x), lead(y) }
  local rows, inner, columns = x.shape[rx - 1], x.shape[rx], y.shape[ry]
  local shape = { unpack(batch) }
  shape[#shape + 1], shape[#shape + 2] = rows, columns
  local rank = #shape
  local ax, ay = {}, {}
  local function locate(at, t, into)
    local shift = rank - #t.shape
    for d = 1, #t.shape - 2 do into[d] = t.shape[d] == 1 and 0 or at[d + shift] end
  end
  local out = build(shape, function(at)
    locate(at, x, ax)
    locate(at, y, ay)
    ax[rx - 1], ay[ry] = at[rank - 1], at[rank]
    local sum = 0
    for k = 0, inner - 1 do
      ax[rx], ay[ry - 1] = k, k
      sum = sum + array.at(x, ax) * array.at(y, ay)
    end
    return sum
  end)
  if left then table.remove(shape, rank - 1) end
  if right then table.remove(shape) end
  return out
end

function R.linear(a, x, weight, bias)
  local out = R.matmul(nil, x, array.permute(weight, { 2, 1 }))
  if bias then out = map(function(v, b) return v + b end, out, bias) end
  return a.activation == "relu" and map(function(v) return v < 0 and 0 or v end, out) or out
end

return R
