-- The numbers of a random op are free, their form is not: the engine's output is the last
-- argument, range and moments are checked and what follows from it is computed.

local array = require "tests.ops.array"
local map = array.map

local function truth(b) return b and 1 or 0 end

local function mean(values)
  local sum = 0
  for _, v in ipairs(values) do sum = sum + v end
  return sum / #values
end

local R = {}

local function moments(out, expected_mean, expected_variance)
  local n = #out.data
  if n < 1000 then return end
  local m, v = mean(out.data), 0
  for _, value in ipairs(out.data) do v = v + (value - m) ^ 2 / n end
  local slack = 6 * math.sqrt(expected_variance / n)
  assert(math.abs(m - expected_mean) < slack, "mean " .. m)
  assert(math.abs(v / expected_variance - 1) < 0.1, "variance " .. v)
end

local function made(a, out, dtype)
  return array.new({ unpack(a.sizes) }, out.data, dtype)
end

function R.rand(a, out)
  for _, v in ipairs(out.data) do assert(v >= 0 and v < 1, "outside [0, 1)") end
  moments(out, 0.5, 1 / 12)
  return made(a, out, a.dtype or "f32")
end

function R.randn(a, out)
  moments(out, 0, 1)
  return made(a, out, a.dtype or "f32")
end

function R.randint(a, out)
  local seen, distinct, span = {}, 0, a.high - a.low + 1
  for _, v in ipairs(out.data) do
    assert(v >= a.low and v <= a.high and v % 1 == 0, "outside low..high")
    if not seen[v] then distinct = distinct + 1 end
    seen[v] = true
  end
  assert(#out.data < 50 * span or distinct == span, "a value of low..high never comes")
  moments(out, (a.low + a.high) / 2, (span * span - 1) / 12)
  return made(a, out, "i64")
end

function R.dropout(a, x, out)
  local p, zeros = a.p or 0.5, 0
  for _, v in ipairs(out.data) do zeros = zeros + truth(v == 0) end
  local n = #out.data
  assert(n < 1000 or math.abs(zeros / n - p) < 0.1, "dropped " .. zeros .. " of " .. n)
  local i = 0
  return map(function(v)
    i = i + 1
    return out.data[i] == 0 and 0 or v / (1 - p)
  end, x)
end

return R
