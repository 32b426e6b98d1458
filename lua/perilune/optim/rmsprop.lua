--- optim.RMSprop, PyTorch's formula in PyTorch's order:
--   g = grad (negated to maximise) + weight_decay * p
--   square_avg = alpha * square_avg + (1 - alpha) * g^2
--   centered: grad_avg = alpha * grad_avg + (1 - alpha) * g, and the divisor is
--   sqrt(square_avg - grad_avg^2) + eps, else sqrt(square_avg) + eps
--   momentum_buffer = momentum * momentum_buffer + g / divisor
--   p = p - lr * (momentum: momentum_buffer, else g / divisor)
-- Source: Tieleman and Hinton, lecture 6.5 (2012); centered: Graves (2013), arXiv 1308.0850.

local class = require "perilune.class"
local errors = require "perilune.errors"
local ops = require "perilune.ops"
local Optimizer = require "perilune.optim.optimizer"
local memory = require "perilune.optim.memory"

local RMSprop = class("RMSprop", Optimizer)
RMSprop.options = {
  { "lr", 0.01, min = 0, doc = "learning rate" },
  { "alpha", 0.99, min = 0, doc = "how much of the running average of squares is kept" },
  { "eps", 1e-8, min = 0, doc = "added to the divisor" },
  { "weight_decay", 0, min = 0, doc = "L2 penalty" },
  { "momentum", 0, min = 0, doc = "share of the last step's direction that is kept" },
  { "centered", false, doc = "divide by the deviation of the gradient instead of its size" },
  { "maximize", false, doc = "climb instead of descend" },
}

function RMSprop:init(o)
  Optimizer.init(self, RMSprop:check(o))
end

function RMSprop.check_group(_, label, group)
  if group.alpha > 1 then
    errors.raise("argument", ("%s: 'alpha' must be at most 1, got %s"):format(label, group.alpha),
      { argument = "alpha" })
  end
end

-- By flags: centered counts 1, momentum 2.
local states = {
  [0] = { "square_avg" }, { "square_avg", "grad_avg" }, { "square_avg", "momentum_buffer" },
  { "square_avg", "grad_avg", "momentum_buffer" },
}
local attributes = memory.attributes("rmsprop_step", { "maximize" })
local inputs, numbers = {}, {}

function RMSprop:step_group(group, params, grads, cache)
  numbers[1], numbers[2], numbers[3] = group.lr, group.alpha, group.eps
  numbers[4], numbers[5] = group.weight_decay, group.momentum
  local names = states[(group.centered and 1 or 0) + (group.momentum > 0 and 2 or 0)]
  local lists = memory.lists(self, cache, params, names)
  inputs[1], inputs[2], inputs[3] = params, grads, lists.square_avg
  inputs[4], inputs[5], inputs[6] = lists.grad_avg, lists.momentum_buffer, lists.step
  inputs[7] = memory.hyper(cache, group, numbers)
  ops.call("rmsprop_step", inputs, attributes(group.maximize))
  inputs[1], inputs[2] = nil, nil
end

return RMSprop
