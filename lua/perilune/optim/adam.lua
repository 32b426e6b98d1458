--- optim.Adam, PyTorch's formula in PyTorch's order:
--   g = grad (negated to maximise); p = p - lr * weight_decay * p if decoupled, else
--   g = g + weight_decay * p
--   exp_avg = beta1 * exp_avg + (1 - beta1) * g
--   exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * g^2
--   p = p - lr / (1 - beta1^step) * exp_avg / (sqrt(exp_avg_sq / (1 - beta2^step)) + eps)
-- amsgrad divides by the largest exp_avg_sq so far. One launch per group; each parameter counts its
-- own steps on its device, so one that gets its first gradient late is corrected as a new one.
-- Source: Kingma and Ba, Adam: a method for stochastic optimization (2015).

local class = require "perilune.class"
local check = require "perilune.check"
local errors = require "perilune.errors"
local ops = require "perilune.ops"
local Optimizer = require "perilune.optim.optimizer"
local memory = require "perilune.optim.memory"

local Adam = class("Adam", Optimizer)
Adam.options = {
  { "lr", 1e-3, min = 0, doc = "learning rate" },
  { "betas", { 0.9, 0.999 }, type = "list",
    doc = "how much of the running averages of the gradient and of its square is kept" },
  { "eps", 1e-8, min = 0, doc = "added to the divisor" },
  { "weight_decay", 0, min = 0, doc = "L2 penalty, or decay of the weights if decoupled" },
  { "amsgrad", false, doc = "divide by the largest average of squares so far" },
  { "maximize", false, doc = "climb instead of descend" },
  { "decoupled_weight_decay", false, doc = "shrink the weights themselves, as AdamW does" },
}

function Adam:init(o)
  Optimizer.init(self, Adam:check(o))
end

function Adam.check_group(_, label, group)
  local betas = group.betas
  for i = 1, 2 do
    local beta = betas[i]
    if type(beta) ~= "number" or not (beta >= 0 and beta < 1) or #betas ~= 2 then
      errors.raise("argument", ("%s: 'betas' must be two numbers in [0, 1), got { %s, %s }")
        :format(label, check.describe(betas[1]), check.describe(betas[2])), { argument = "betas" })
    end
  end
end

local plain_states = { "exp_avg", "exp_avg_sq" }
local amsgrad_states = { "exp_avg", "exp_avg_sq", "max_exp_avg_sq" }
local attributes = memory.attributes("adam_step", { "decoupled", "maximize" })
local inputs, numbers = {}, {}

function Adam:step_group(group, params, grads, cache)
  local betas = group.betas
  numbers[1], numbers[2], numbers[3] = group.lr, betas[1], betas[2]
  numbers[4], numbers[5] = group.eps, group.weight_decay
  local names = group.amsgrad and amsgrad_states or plain_states
  local lists = memory.lists(self, cache, params, names)
  inputs[1], inputs[2], inputs[3] = params, grads, lists.exp_avg
  inputs[4], inputs[5], inputs[6] = lists.exp_avg_sq, lists.max_exp_avg_sq, lists.step
  inputs[7] = memory.hyper(cache, group, numbers)
  ops.call("adam_step", inputs, attributes(group.decoupled_weight_decay, group.maximize))
  inputs[1], inputs[2] = nil, nil
end

return Adam
