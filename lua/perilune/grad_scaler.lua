--- GradScaler: dynamic loss scaling, for gradients in f16, which would else vanish below 6e-8. The
-- loss is multiplied before backward and the gradients divided after it; an update whose gradients
-- are not all finite is left out and the scale made smaller; after many good ones in a row it
-- grows. Between the two the optimizer sees what it would see without it.

local class = require "perilune.class"
local gradients = require "perilune.trainer.gradients"

local GradScaler = class("GradScaler")

GradScaler.options = {
  { "init_scale", 65536, min = 0, doc = "what losses are multiplied with at first" },
  { "growth_factor", 2, min = 1, doc = "the scale's change after growth_interval good updates" },
  { "backoff_factor", 0.5, min = 0, max = 1, doc = "its change after one that was left out" },
  { "growth_interval", 2000, type = "integer", min = 1, doc = "good updates in a row" },
}

function GradScaler:init(o)
  o = GradScaler:check(o)
  self.scale_now, self.growth_factor = o.init_scale, o.growth_factor
  self.backoff_factor, self.growth_interval = o.backoff_factor, o.growth_interval
  self.good_updates, self.skipped_updates = 0, 0
  self.finite = {}                       -- by optimizer whose gradients are divided: are they?
end

--- What losses are multiplied with.
function GradScaler:get_scale()
  return self.scale_now
end

--- A loss times the scale, for its backward.
function GradScaler:scale(loss)
  return loss:to("f32") * self.scale_now
end

--- Divide the gradients by the scale, once an update; step does it where nobody did. To be called
-- before gradients are clipped or looked at.
-- @param optimizer an object with `param_groups`
-- @return whether all of them are finite
function GradScaler:unscale_(optimizer)
  if self.finite[optimizer] == nil then
    local grads = gradients.list(optimizer)
    local norm = gradients.norm(grads)
    local finite = not norm or norm:isfinite():item()
    if finite then gradients.scale(grads, 1 / self.scale_now) end
    self.finite[optimizer] = finite
  end
  return self.finite[optimizer]
end

--- Make the update unless a gradient of this optimizer is infinite or NaN.
-- @return false if it was left out
function GradScaler:step(optimizer)
  local finite = self:unscale_(optimizer)
  if finite then optimizer:step() end
  return finite
end

--- An update is over, of all optimizers: choose the next scale.
function GradScaler:update()
  local good = true
  for _, finite in next, self.finite do good = good and finite end
  if not good then
    self.skipped_updates, self.good_updates = self.skipped_updates + 1, 0
    self.scale_now = self.scale_now * self.backoff_factor
  else
    self.good_updates = self.good_updates + 1
    if self.good_updates >= self.growth_interval then
      self.scale_now, self.good_updates = self.scale_now * self.growth_factor, 0
    end
  end
  self.finite = {}
end

--- What it needs to go on.
function GradScaler:state_dict()
  return { scale = self.scale_now, good_updates = self.good_updates,
    skipped_updates = self.skipped_updates }
end

function GradScaler:load_state_dict(state)
  self.scale_now, self.good_updates = state.scale, state.good_updates
  self.skipped_updates = state.skipped_updates
end

return GradScaler
