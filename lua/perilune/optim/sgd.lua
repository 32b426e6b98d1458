--- optim.SGD: stochastic gradient descent, PyTorch's formula in PyTorch's order:
--   g = grad (negated to maximise) + weight_decay * p
--   buf = g at a parameter's first step, else momentum * buf + (1 - dampening) * g
--   p = p - lr * (nesterov: g + momentum * buf; momentum: buf; else g)
-- One launch per group and step; the numbers travel in one small tensor, so that a changed
-- learning rate is new data and not a new launch.

local class = require "perilune.class"
local errors = require "perilune.errors"
local ops = require "perilune.ops"
local create = require "perilune.create"
local Optimizer = require "perilune.optim.optimizer"
local memory = require "perilune.optim.memory"

local SGD = class("SGD", Optimizer)
SGD.options = {
  { "lr", 0.001, min = 0, doc = "learning rate" },
  { "momentum", 0, min = 0, doc = "share of the last step's direction that is kept" },
  { "dampening", 0, doc = "share of the gradient kept out of the momentum" },
  { "weight_decay", 0, min = 0, doc = "L2 penalty" },
  { "nesterov", false, doc = "look ahead along the momentum" },
  { "maximize", false, doc = "climb instead of descend" },
}

function SGD:init(o)
  Optimizer.init(self, SGD:check(o))
end

function SGD.check_group(_, label, group)
  if group.nesterov and (group.momentum <= 0 or group.dampening ~= 0) then
    errors.raise("argument", label .. ": nesterov needs a momentum above 0 and no dampening",
      { argument = "nesterov" })
  end
end

local attributes = memory.attributes("sgd_step", { "nesterov", "maximize", "first" })
local inputs, numbers = {}, {}

local function launch(group, params, grads, momentums, hyper, first)
  inputs[1], inputs[2], inputs[3], inputs[4] = params, grads, momentums, hyper
  ops.call("sgd_step", inputs, attributes(group.nesterov, group.maximize, first))
  inputs[1], inputs[2], inputs[3], inputs[4] = nil, nil, nil, nil
end

local function new_lists()
  return { params = {}, grads = {}, momentums = {} }
end

local function add(lists, p, grad, momentum)
  local n = #lists.params + 1
  lists.params[n], lists.grads[n], lists.momentums[n] = p, grad, momentum
end

--- A step in which parameters come or go: those without a buffer get one, which begins as g.
local function step_anew(self, group, params, grads, cache)
  local old, new = new_lists(), new_lists()
  cache.seen, cache.momentums = {}, {}
  for i, p in ipairs(params) do
    local state = self:state_of(p)
    local lists = state.momentum_buffer and old or new
    if lists == new then
      state.momentum_buffer = create.empty(p.shape, { dtype = p.dtype, device = p.device }):keep()
    end
    add(lists, p, grads[i], state.momentum_buffer)
    cache.seen[i], cache.momentums[i] = p, state.momentum_buffer
  end
  for _, lists in ipairs { old, new } do
    if #lists.params > 0 then
      launch(group, lists.params, lists.grads, lists.momentums, cache.hyper, lists == new)
    end
  end
end

function SGD:step_group(group, params, grads, cache)
  numbers[1], numbers[2] = group.lr, group.momentum
  numbers[3], numbers[4] = group.dampening, group.weight_decay
  local hyper = memory.hyper(cache, group, numbers)
  if group.momentum == 0 then
    launch(group, params, grads, nil, hyper, false)
  elseif memory.same_params(cache, params) then
    launch(group, params, grads, cache.momentums, hyper, false)
  else
    step_anew(self, group, params, grads, cache)
  end
end

return SGD
