--- Finds a learning rate before a run begins: some updates with rates that rise from min_lr to
-- max_lr are tried and taken back; the rate at which the smoothed loss fell fastest is suggested,
-- and given to the optimizer unless `set_lr` is false. `results` has the curve.
-- Source: Smith, Cyclical Learning Rates (2017); smoothing and suggestion as in Lightning.

local class = require "perilune.class"
local check = require "perilune.check"
local errors = require "perilune.errors"
local text_plot = require "perilune.text_plot"
local trial = require "perilune.trainer.trial"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local LearningRateFinder = class("LearningRateFinder", TrainerCallback)

LearningRateFinder.options = {
  { "min_lr", 1e-8, type = "number", min = 0, doc = "the first rate" },
  { "max_lr", 1, type = "number", min = 0, doc = "the last rate" },
  { "num_updates", 100, type = "integer", min = 3, doc = "how many rates are tried" },
  { "mode", "exponential", choices = { "exponential", "linear" }, doc = "how the rates rise" },
  { "early_stop_threshold", 4, type = "number", min = 1,
    doc = "end when the loss is above so many times the best one; false: never" },
  { "set_lr", true, doc = "give the suggested rate to the optimizer" },
}

--- After a batch size was found, before others look at the learning rate.
LearningRateFinder.priority = 90

local SMOOTHING = 0.98
local DIVERGED = 2 -- so many times the lowest loss is no noise any more

function LearningRateFinder:init(o)
  o = LearningRateFinder:check(o)
  if o.min_lr >= o.max_lr or (o.mode == "exponential" and o.min_lr == 0) then
    errors.raise("argument", ("LearningRateFinder: min_lr must be above 0 and below max_lr, got %g "
      .. "and %g"):format(o.min_lr, o.max_lr), { argument = "min_lr" })
  end
  for name, value in next, o do self[name] = value end
end

-- Rate number i, from 1.
local function rate(self, i)
  local part = (i - 1) / (self.num_updates - 1)
  if self.mode == "linear" then return self.min_lr + (self.max_lr - self.min_lr) * part end
  return self.min_lr * (self.max_lr / self.min_lr) ^ part
end

local function groups_of(trainer)
  local groups = trainer.optimizer and trainer.optimizer.param_groups
  if groups and groups[1] and type(groups[1].lr) == "number" then return groups end
  errors.raise("argument", "LearningRateFinder: the trainer needs an optimizer whose parameter "
    .. "groups have an lr", { argument = "optimizer" })
end

-- What each group's rate is beside that of the first; a scheduler may have changed them already.
local function ratios_of(groups)
  local ratios, first = {}, groups[1].initial_lr or groups[1].lr
  for i, group in ipairs(groups) do
    ratios[i] = first > 0 and (group.initial_lr or group.lr) / first or 1
  end
  return ratios
end

local function set_rates(groups, ratios, lr)
  for i, group in ipairs(groups) do group.lr = lr * ratios[i] end
end

-- The hooks of the trial. The loss of an update is the mean of its batches' losses.
local function recorder(self, ratios)
  local sum, count, average, best = 0, 0, 0, math.huge
  local lrs, losses = self.results.lr, self.results.loss
  local hooks = {}

  function hooks.on_train_batch_loss(_, _, _, output)
    sum, count = sum + output.loss:item(), count + 1
  end

  function hooks.on_before_optimizer_step(_, trainer)
    set_rates(trainer.optimizer.param_groups, ratios, rate(self, trainer.update))
  end

  function hooks.on_optimizer_step_end(_, trainer)
    local n = trainer.update
    average = SMOOTHING * average + (1 - SMOOTHING) * sum / count
    sum, count = 0, 0
    local loss = average / (1 - SMOOTHING ^ n)
    lrs[n], losses[n] = rate(self, n), loss
    local limit = self.early_stop_threshold and self.early_stop_threshold * best
    if loss ~= loss or loss == math.huge or (n > 1 and limit and loss > limit) then
      self.diverged = true
      trainer:stop("the loss has diverged")
    end
    best = math.min(best, loss)
  end
  return hooks
end

-- The scheduler starts again from the new rates.
local function give(self, trainer, groups, ratios, lr)
  for _, group in ipairs(groups) do group.initial_lr = nil end
  set_rates(groups, ratios, lr)
  if trainer.scheduler then trainer.scheduler = trainer:create_scheduler() end
  trainer:print(("learning rate %.3g (of %d tried from %.3g to %.3g)"):format(lr, #self.results.lr,
    self.results.lr[1], self.results.lr[#self.results.lr]))
end

--- A run that goes on from a state keeps its rates.
function LearningRateFinder:on_training_run_start(trainer)
  if trainer.resuming then return end
  local groups = groups_of(trainer)
  local ratios = ratios_of(groups)
  self.results, self.diverged = { lr = {}, loss = {} }, false
  trainer:trial{ updates = self.num_updates, callbacks = { recorder(self, ratios) } }
  self.lr = self:suggestion()
  if not self.lr then
    trainer:print("LearningRateFinder: no rate can be suggested: the loss does not fall from the "
      .. "start; a lower min_lr may help")
  elseif self.set_lr then
    give(self, trainer, groups, ratios, self.lr)
  end
end

--- Search before a run; the trainer is as before, but for the optimizer's rates if set_lr is true.
-- @param trainer a Trainer that is not in a run
-- @param options those of trainer:train: train_dataset, per_device_batch_size, ...
-- @return the suggested rate, or nil
function LearningRateFinder:find(trainer, options)
  trial.start_only(trainer, self, options)
  return self.lr
end

local function results_of(self, what)
  if self.results then return self.results end
  errors.raise("user", ("LearningRateFinder:%s: nothing has been tried so far; attach the callback "
    .. "to a run, or call finder:find(trainer, options)"):format(what))
end

local suggestion_options = {
  { "skip_begin", 10, type = "integer", min = 0, doc = "rates left out at the beginning" },
  { "skip_end", 1, type = "integer", min = 0, doc = "rates left out at the end" },
}

local function is_finite(x) return x - x == 0 end

-- The position of the smallest loss before the curve first rises to so many times it. What follows
-- are rates that are too high: falls there are noise, even where they are steep or end lower.
local function lowest(losses, first, last)
  local at = nil
  for i = first, last do
    if is_finite(losses[i]) then
      if not at or losses[i] < losses[at] then at = i end
      if losses[i] > DIVERGED * losses[at] then break end
    end
  end
  return at
end

--- The rate at which the smoothed loss fell fastest on its way to the lowest.
-- @param options { skip_begin = 10, skip_end = 1 }: the ends of the curve are noise
-- @return the rate and its position in `results.lr`; nil where the loss does not fall
function LearningRateFinder:suggestion(options)
  local o = check.call(suggestion_options, "LearningRateFinder:suggestion", options)
  local results = results_of(self, "suggestion")
  local losses, first = results.loss, o.skip_begin + 1
  local last = #losses - o.skip_end
  if last - first < 1 then first, last = 1, #losses end
  last = lowest(losses, first, last) or first
  local steepest, at = 0, nil
  for i = first, last do
    local before, after = math.max(i - 1, first), math.min(i + 1, last)
    local slope = (losses[after] - losses[before]) / math.max(after - before, 1)
    if is_finite(losses[i]) and slope < steepest then steepest, at = slope, i end
  end
  if at then return results.lr[at], at end
end

local plot_options = {
  { "width", 60, type = "integer", min = 20, doc = "columns of the curve" },
  { "height", 12, type = "integer", min = 3, doc = "lines of the curve" },
}

--- The curve as text, the suggested rate drawn as O.
-- @param options { width = 60, height = 12 }
-- @return a string
function LearningRateFinder:plot(options)
  local o = check.call(plot_options, "LearningRateFinder:plot", options)
  local results = results_of(self, "plot")
  local lr, at = self:suggestion()
  local label = lr and ("learning rate, O at %.3g"):format(lr) or "learning rate"
  return text_plot.curve(results.lr, results.loss, { width = o.width, height = o.height,
    log_x = self.mode == "exponential", marked = at, x_label = label, y_label = "smoothed loss" })
    or "no loss was finite"
end

return LearningRateFinder
