--- What may happen to gradients between backward and the optimizer's step. Works on the gradients
-- of an optimizer's parameters, in the order of its groups, and reads nothing from the device.

local context = require "perilune.context"
local create = require "perilune.create"
local ops = require "perilune.ops"

local gradients = {}

--- The gradients there are, in order.
-- @param optimizer an object with `param_groups`, each with a list `params`
-- @return list of tensors
function gradients.list(optimizer)
  local found = {}
  for _, group in ipairs(optimizer.param_groups) do
    for _, parameter in ipairs(group.params) do
      local grad = parameter.grad
      if grad then found[#found + 1] = grad end
    end
  end
  return found
end

local function clip_value(grads, limit)
  for _, grad in ipairs(grads) do grad:copy_(grad:clamp(-limit, limit)) end
end

--- The 2-norm of all gradients together: not finite if one of them is not.
-- @return a 0-d f32 tensor, nil where there are none
function gradients.norm(grads)
  if #grads > 0 then return context.no_grad(ops.call, "total_norm", { grads }) end
end

-- As PyTorch: every gradient times min(1, limit / (norm + 1e-6)).
local function clip_norm(grads, limit)
  local norm = ops.call("total_norm", { grads })
  local factor = ((norm + 1e-6) ^ -1 * limit):clamp(-math.huge, 1)
  ops.call("scale_all", { grads, factor })
  return norm
end

--- Limit every element to [-limit, limit].
function gradients.clip_value(grads, limit)
  context.no_grad(clip_value, grads, limit)
end

--- Scale all gradients so that their common 2-norm is at most `limit`.
-- @return the norm before, a 0-d f32 tensor
function gradients.clip_norm(grads, limit)
  if #grads == 0 then return nil end
  return context.no_grad(clip_norm, grads, limit)
end

local function scale(grads, factor)
  ops.call("scale_all", { grads, create.scalar(factor, { device = grads[1].device }) })
end

--- Multiply all gradients by a number.
function gradients.scale(grads, factor)
  if #grads > 0 then context.no_grad(scale, grads, factor) end
end

return gradients
