--- An accelerator without a line of C: two pretend devices whose kernels are the Lua functions
-- below, enough of them that most of what a small classifier computes is Lua. What a kernel gets
-- docs/accelerators.md says under "In Lua alone"; what is not here the CPU computes.

local pl = require "perilune"

local LunaAccelerator = pl.class("LunaAccelerator", pl.LuaAccelerator)

LunaAccelerator.description = "kernels in Lua, the example of an accelerator without a library"
LunaAccelerator.device_count = 2

function LunaAccelerator:name()
  return "luna"
end

local kernels = {}
LunaAccelerator.kernels = kernels

local function all_f32(call)
  for _, x in ipairs(call.inputs) do
    if x.dtype ~= "f32" then return false end
  end
  return true
end

-- ---- element by element: the engine has broadcast the inputs to the output ----

function kernels.add(call)
  if not all_f32(call) then return false end
  local x, other, y = call.inputs[1].data, call.inputs[2].data, call.outputs[1]
  for i = 0, y.count - 1 do y.data[i] = x[i] + other[i] end
end

function kernels.sub(call)
  if not all_f32(call) then return false end
  local x, other, y = call.inputs[1].data, call.inputs[2].data, call.outputs[1]
  for i = 0, y.count - 1 do y.data[i] = x[i] - other[i] end
end

function kernels.mul(call)
  if not all_f32(call) then return false end
  local x, other, y = call.inputs[1].data, call.inputs[2].data, call.outputs[1]
  for i = 0, y.count - 1 do y.data[i] = x[i] * other[i] end
end

function kernels.relu(call)
  if not all_f32(call) then return false end
  local x, y = call.inputs[1].data, call.outputs[1]
  for i = 0, y.count - 1 do y.data[i] = x[i] < 0 and 0 or x[i] end
end

function kernels.relu_backward(call)
  if not all_f32(call) then return false end
  local y, grad, dx = call.inputs[1].data, call.inputs[2].data, call.outputs[1]
  for i = 0, dx.count - 1 do dx.data[i] = y[i] > 0 and grad[i] or 0 end
end

-- ---- products ----

--- Two matrices; vectors and batches are the CPU's.
function kernels.matmul(call)
  local x, other, y = call.inputs[1], call.inputs[2], call.outputs[1]
  if not all_f32(call) or #x.sizes ~= 2 or #other.sizes ~= 2 then return false end
  local rows, inner, columns = x.sizes[1], x.sizes[2], other.sizes[2]
  local a, b, c = x.data, other.data, y.data
  for i = 0, y.count - 1 do c[i] = 0 end
  for i = 0, rows - 1 do
    for k = 0, inner - 1 do
      local factor, row, out = a[i * inner + k], k * columns, i * columns
      for j = 0, columns - 1 do c[out + j] = c[out + j] + factor * b[row + j] end
    end
  end
end

-- ---- the optimizer: lists of tensors that are updated in place ----

local function sgd_update(p, grad, buffer, hyper, options)
  local rate, momentum, dampening, decay = hyper[0], hyper[1], hyper[2], hyper[3]
  local sign = options.maximize and -1 or 1
  local w, dw, v = p.data, grad.data, buffer and buffer.data
  for i = 0, p.count - 1 do
    local g = sign * dw[i] + decay * w[i]
    if v then
      v[i] = options.first and g or momentum * v[i] + (1 - dampening) * g
      g = options.nesterov and g + momentum * v[i] or v[i]
    end
    w[i] = w[i] - rate * g
  end
end

function kernels.sgd_step(call)
  local params, grads, buffers, hyper = unpack(call.inputs, 1, 4)
  for i, p in ipairs(params) do
    if p.dtype ~= "f32" or grads[i].dtype ~= "f32" then return false end
  end
  for i, p in ipairs(params) do
    sgd_update(p, grads[i], buffers and buffers[i], hyper.data, call.attributes)
  end
end

return LunaAccelerator
