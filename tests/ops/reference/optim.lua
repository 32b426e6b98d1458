-- What the optimizer rows mean: the updated inputs by name.

local array = require "tests.ops.array"
local map = array.map

local R = {}

function R.sgd_step(a, params, grads, momentums, hyper)
  local lr, momentum, dampening, decay = unpack(hyper.data)
  local out = { params = {}, momentums = momentums and {} }
  for k, p in ipairs(params) do
    local new, buffer = {}, {}
    for i, value in ipairs(p.data) do
      local g = a.maximize and -grads[k].data[i] or grads[k].data[i]
      g = g + decay * value
      if momentums then
        local old = momentums[k].data[i]
        buffer[i] = a.first and g or momentum * old + (1 - dampening) * g
        g = a.nesterov and g + momentum * buffer[i] or buffer[i]
      end
      new[i] = value - lr * g
    end
    out.params[k] = array.new(p.shape, new)
    if momentums then out.momentums[k] = array.new(p.shape, buffer) end
  end
  return out
end

--- Tensor by tensor and element by element: f(k, p, g, old...) answers the new values of the
-- parameter and of each of `states`, { name, list } pairs in which an absent list is false.
local function step_all(params, grads, states, steps, f)
  local out = { params = {}, steps = {} }
  for _, state in ipairs(states) do out[state[1]] = state[2] and {} or nil end
  for k, p in ipairs(params) do
    local new, columns = {}, {}
    for i, value in ipairs(p.data) do
      local old = {}
      for j, state in ipairs(states) do old[j] = state[2] and state[2][k].data[i] end
      local results = { f(k, value, grads[k].data[i], unpack(old, 1, #states)) }
      new[i] = results[1]
      for j = 1, #states do
        columns[j] = columns[j] or {}
        columns[j][i] = results[j + 1]
      end
    end
    out.params[k] = array.new(p.shape, new)
    out.steps[k] = array.new({}, { steps[k].data[1] + 1 })
    for j, state in ipairs(states) do
      if state[2] then out[state[1]][k] = array.new(p.shape, columns[j] or {}) end
    end
  end
  return out
end

function R.adam_step(a, params, grads, means, squares, tops, steps, hyper)
  local lr, beta1, beta2, eps, decay = unpack(hyper.data)
  local states = { { "exp_avgs", means }, { "exp_avg_sqs", squares }, { "max_exp_avg_sqs", tops } }
  return step_all(params, grads, states, steps, function(k, p, g, m, v, top)
    local step = steps[k].data[1] + 1
    if a.maximize then g = -g end
    if a.decoupled then p = p - lr * decay * p else g = g + decay * p end
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    top = top and math.max(top, v)
    local scale = math.sqrt(top or v) / math.sqrt(1 - beta2 ^ step) + eps
    return p - lr / (1 - beta1 ^ step) * m / scale, m, v, top
  end)
end

function R.rmsprop_step(a, params, grads, squares, means, buffers, steps, hyper)
  local lr, alpha, eps, decay, momentum = unpack(hyper.data)
  local states = { { "square_avgs", squares }, { "grad_avgs", means }, { "momentums", buffers } }
  return step_all(params, grads, states, steps, function(_, p, g, v, m, b)
    g = (a.maximize and -g or g) + decay * p
    v = alpha * v + (1 - alpha) * g * g
    m = m and alpha * m + (1 - alpha) * g
    local direction = g / (math.sqrt(v - (m or 0) ^ 2) + eps)
    b = b and momentum * b + direction
    return p - lr * (b or direction), v, m, b
  end)
end

function R.total_norm(_, list)
  local sum = 0
  for _, x in ipairs(list) do
    for _, v in ipairs(x.data) do sum = sum + v * v end
  end
  return array.new({}, { math.sqrt(sum) }, "f32")
end

function R.scale_all(_, list, factor)
  local out = {}
  for k, x in ipairs(list) do
    out[k] = map(function(v) return v * factor.data[1] end, x)
  end
  return { xs = out }
end

function R.lerp_all(_, list, others, weight)
  local out = {}
  for k, x in ipairs(list) do
    out[k] = map(function(v, o) return v + weight.data[1] * (o - v) end, x, others[k])
  end
  return { xs = out }
end

return R
