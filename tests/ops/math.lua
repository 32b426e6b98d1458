-- Functions of one number or one line that Lua lacks, exact to a few units in the last place.

local more = {}

local inf, exp, log = math.huge, math.exp, math.log

--- 2 / sqrt(pi) * exp(-x^2) * sum of x^(2k+1) 2^k / (1 * 3 * ... (2k+1)): nothing cancels.
function more.erf(x)
  if x ~= x then return x end
  if math.abs(x) > 6 then return x > 0 and 1 or -1 end
  local term, sum, k = x, x, 0
  repeat
    k = k + 1
    term = term * 2 * x * x / (2 * k + 1)
    sum = sum + term
  until math.abs(term) <= 1e-17 * math.abs(sum)
  return 2 / math.sqrt(math.pi) * exp(-x * x) * sum
end

function more.expm1(x)
  if x ~= x or math.abs(x) > 0.5 then return exp(x) - 1 end
  local term, sum = x, x
  for k = 2, 18 do
    term = term * x / k
    sum = sum + term
  end
  return sum
end

--- log(1 + x) = 2 atanh(x / (2 + x)).
function more.log1p(x)
  if x ~= x or math.abs(x) > 0.25 then return log(1 + x) end
  local y = x / (2 + x)
  local power, sum = y, y
  for k = 3, 41, 2 do
    power = power * y * y
    sum = sum + power / k
  end
  return 2 * sum
end

--- The larger and the smaller of two; NaN wins.
function more.maximum(x, y) return x ~= x and x or y ~= y and y or math.max(x, y) end
function more.minimum(x, y) return x ~= x and x or y ~= y and y or math.min(x, y) end

function more.total(values)
  local sum = 0
  for _, v in ipairs(values) do sum = sum + v end
  return sum
end

function more.logsumexp(values)
  local top = -inf
  for _, v in ipairs(values) do top = math.max(top, v) end
  if top == -inf then return -inf end
  local sum = 0
  for _, v in ipairs(values) do sum = sum + exp(v - top) end
  return top + log(sum)
end

function more.log_softmax(line)
  local norm, out = more.logsumexp(line), {}
  for i, v in ipairs(line) do out[i] = v - norm end
  return out
end

return more
