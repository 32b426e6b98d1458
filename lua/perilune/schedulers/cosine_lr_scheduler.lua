--- schedulers.CosineLrScheduler: a straight warmup, half a cosine whose time is bent by k_decay,
-- and a cooldown at the smallest value, all given in epochs and counted in updates. The cosine
-- begins where the warmup ends and reaches the smallest value where the cooldown begins.
-- Sources: Loshchilov and Hutter (2017), arXiv 1608.03983; Zhang and Li (2020), arXiv 2004.05909.

local class = require "perilune.class"
local errors = require "perilune.errors"
local placeholders = require "perilune.schedulers.placeholders"
local StatefulSchedulerBase = require "perilune.schedulers.stateful_scheduler_base"

local CosineLrScheduler = class("CosineLrScheduler", StatefulSchedulerBase)
CosineLrScheduler.options = {
  { "total_num_epochs", type = "number", min = 0, required = true,
    doc = "epochs with warmup and cooldown" },
  { "num_update_steps_per_epoch", type = "number", min = 1, required = true,
    doc = "optimizer updates of an epoch" },
  { "k_decay", 1, min = 0, doc = "above 1 the values stay high for longer" },
  { "lr_min", 1e-6, min = 0, doc = "the smallest value" },
  { "min_lr_ratio", type = "number", min = 0,
    doc = "the smallest value as a share of the group's; goes before lr_min" },
  { "num_warmup_epochs", 0, min = 0, doc = "epochs of the warmup" },
  { "warmup_starting_lr", 1e-6, min = 0, doc = "where the warmup starts" },
  { "warmup_starting_lr_ratio", type = "number", min = 0,
    doc = "the same as a share of the group's value; goes before warmup_starting_lr" },
  { "num_cooldown_epochs", 0, min = 0, doc = "epochs at the smallest value at the end" },
}
CosineLrScheduler.placeholders = {
  total_num_epochs = placeholders.num_epochs,
  num_update_steps_per_epoch = placeholders.num_update_steps_per_epoch,
}

local function round(x)
  return math.floor(x + 0.5)
end

function CosineLrScheduler:init(o)
  o = CosineLrScheduler:check(o)
  StatefulSchedulerBase.init(self, o)
  local per_epoch = o.num_update_steps_per_epoch
  self.warmup = round(o.num_warmup_epochs * per_epoch)
  self.cosine_end = round((o.total_num_epochs - o.num_cooldown_epochs) * per_epoch)
  self.k_decay = o.k_decay
  self.lr_min, self.min_lr_ratio = o.lr_min, o.min_lr_ratio or nil
  self.warmup_starting_lr = o.warmup_starting_lr
  self.warmup_starting_lr_ratio = o.warmup_starting_lr_ratio or nil
  if self.cosine_end < self.warmup then
    errors.raise("argument", ("%s: %g epochs of warmup and %g of cooldown do not fit into %g")
      :format(self.name, o.num_warmup_epochs, o.num_cooldown_epochs, o.total_num_epochs),
      { argument = "num_warmup_epochs" })
  end
  self:step_update(0)
end

local function warmup_value(self, base, n)
  local ratio = self.warmup_starting_lr_ratio
  local start = ratio and ratio * base or self.warmup_starting_lr
  return start + n * (base - start) / self.warmup
end

local function cosine_value(self, base, n)
  local low = self.min_lr_ratio and self.min_lr_ratio * base or self.lr_min
  if n >= self.cosine_end then return low end
  local share = (n - self.warmup) ^ self.k_decay / (self.cosine_end - self.warmup) ^ self.k_decay
  return low + (base - low) * (1 + math.cos(math.pi * share)) / 2
end

function CosineLrScheduler:get_updated_values(n)
  local values, value_of = self:base_values(), n < self.warmup and warmup_value or cosine_value
  for i, base in ipairs(values) do values[i] = value_of(self, base, n) end
  return values
end

return CosineLrScheduler
