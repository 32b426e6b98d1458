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


return R
