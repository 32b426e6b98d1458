--- From an epoch on, trains with a rate of its own and averages the weights at the end of each
-- epoch; when the run ends the model gets the average, and batch norm its statistics anew by one
-- pass over the training data.
-- Source: Izmailov et al., Averaging Weights Leads to Wider Optima (2018).

local class = require "perilune.class"
local context = require "perilune.context"
local errors = require "perilune.errors"
local ModelEma = require "perilune.model_ema"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local StochasticWeightAveraging = class("StochasticWeightAveraging", TrainerCallback)

StochasticWeightAveraging.options = {
  { "swa_lrs", type = { "number", "list" }, required = true,
    doc = "the rate to go to, or a list with one for each parameter group" },
  { "swa_epoch_start", 0.8, type = "number", min = 0,
    doc = "the first epoch that counts, from 1; below 1 a share of num_epochs that does not" },
  { "annealing_epochs", 10, type = "integer", min = 0, doc = "epochs of going to swa_lrs" },
  { "annealing_strategy", "cos", choices = { "cos", "linear" }, doc = "how it goes there" },
}

--- After a best model has been loaded back, before loggers.
StochasticWeightAveraging.priority = -10

local function is_rate(value)
  return type(value) == "number" and value > 0 and value < math.huge
end

function StochasticWeightAveraging:init(o)
  o = StochasticWeightAveraging:check(o)
  for name, value in next, o do self[name] = value end
  local lrs = type(o.swa_lrs) == "table" and o.swa_lrs or { o.swa_lrs }
  for _, lr in ipairs(lrs) do
    if not is_rate(lr) then
      errors.raise("argument", "StochasticWeightAveraging: swa_lrs must be a number above 0, or a "
        .. "list of them", { argument = "swa_lrs" })
    end
  end
  if o.swa_epoch_start >= 1 and o.swa_epoch_start % 1 ~= 0 then
    errors.raise("argument", ("StochasticWeightAveraging: swa_epoch_start must be an epoch or a "
      .. "share below 1, got %g"):format(o.swa_epoch_start), { argument = "swa_epoch_start" })
  end
end

local function refuse_start(text, ...)
  errors.raise("argument", ("StochasticWeightAveraging: swa_epoch_start = %g "
    .. text):format(...), { argument = "swa_epoch_start" })
end

-- The first epoch whose end is averaged.
local function first_epoch(self, trainer)
  local start, first, last = self.swa_epoch_start, trainer.first_epoch, trainer.last_epoch
  if start < 1 then
    if last == math.huge then
      refuse_start("is a share of num_epochs, which this run does not have; give an epoch", start)
    end
    start = first + math.floor(start * (last - first + 1))
  end
  if start > last then refuse_start("is after the last epoch, %d", start, last) end
  return start
end

local function rates_for(self, groups)
  local lrs = {}
  if type(self.swa_lrs) == "table" and #self.swa_lrs ~= #groups then
    errors.raise("argument", ("StochasticWeightAveraging: swa_lrs has %d rates for %d parameter "
      .. "groups"):format(#self.swa_lrs, #groups), { argument = "swa_lrs" })
  end
  for i = 1, #groups do
    lrs[i] = type(self.swa_lrs) == "table" and self.swa_lrs[i] or self.swa_lrs
  end
  return lrs
end

function StochasticWeightAveraging:on_training_run_start(trainer)
  self.start_epoch = first_epoch(self, trainer)
  rates_for(self, trainer.optimizer.param_groups)
  self.model, self.average, self.initial_lrs = trainer.model, nil, nil
  local state = self.waiting
  if state then
    self.waiting = nil
    self:load_state_dict(state)
  end
end

-- From 0, where the rates are what they were, to 1, where they are swa_lrs.
local function progress(self, epoch)
  if self.annealing_epochs == 0 then return 1 end
  local t = math.min(1, (epoch - self.start_epoch) / self.annealing_epochs)
  return self.annealing_strategy == "cos" and (1 - math.cos(math.pi * t)) / 2 or t
end

-- What a scheduler of the run has written is written over.
local function set_rates(self, trainer)
  local epoch = trainer.run_history.current_epoch
  if epoch < self.start_epoch then return end
  local groups = trainer.optimizer.param_groups
  if not self.initial_lrs then
    self.initial_lrs = {}
    for i, group in ipairs(groups) do self.initial_lrs[i] = group.lr end
  end
  local alpha = progress(self, epoch)
  for i, lr in ipairs(rates_for(self, groups)) do
    groups[i].lr = lr * alpha + (self.initial_lrs[i] or groups[i].lr) * (1 - alpha)
  end
end

function StochasticWeightAveraging:on_train_epoch_start(trainer)
  set_rates(self, trainer)
end

function StochasticWeightAveraging:on_optimizer_step_end(trainer)
  set_rates(self, trainer)
end

--- How many epochs the average is of.
function StochasticWeightAveraging:num_averaged()
  return self.average and self.average.num_updates or 0
end

function StochasticWeightAveraging:on_train_epoch_end(trainer)
  if trainer.run_history.current_epoch < self.start_epoch then return end
  local n = self:num_averaged()
  self.average = self.average or ModelEma(trainer.model)
  self.average.decay = n / (n + 1)
  self.average:update(trainer.model)
end

local function batch_norms(model)
  local found = {}
  for _, module in ipairs(model:modules()) do
    if module.reset_running_stats and module.running_mean then found[#found + 1] = module end
  end
  return found
end

local function pass(trainer, loader)
  for batch in loader:batches() do
    context.scope(trainer.calculate_train_batch_loss, trainer, batch)
  end
end

-- The running statistics become the mean over all batches of the training data.
local function update_statistics(trainer, norms)
  local loader, momenta = trainer.train_dataloader, {}
  for i, norm in ipairs(norms) do
    momenta[i] = norm.momentum
    norm.momentum = false
    norm:reset_running_stats()
  end
  trainer.model:train()
  if loader.set_epoch then loader:set_epoch(trainer.run_history.current_epoch) end
  local ok, err = xpcall(context.no_grad, errors.handler, pass, trainer, loader)
  for i, norm in ipairs(norms) do norm.momentum = momenta[i] end
  if not ok then error(err, 0) end
end

--- The model gets the average; a run that ended before swa_epoch_start keeps its weights.
function StochasticWeightAveraging:on_training_run_end(trainer)
  if self:num_averaged() == 0 then return end
  trainer.model:load_state_dict(self.average.module:state_dict())
  local norms = batch_norms(trainer.model)
  if #norms > 0 then update_statistics(trainer, norms) end
  trainer:print(("the weights are the average of %d epochs"):format(self:num_averaged()))
end

function StochasticWeightAveraging:on_teardown()
  self.model = nil
end

function StochasticWeightAveraging:state_dict()
  return { initial_lrs = self.initial_lrs, average = self.average and self.average:state_dict() }
end

-- Outside of a run there is no model to average yet, and the next run would start again.
function StochasticWeightAveraging:load_state_dict(state)
  if not self.model then
    self.waiting = state
    return
  end
  self.initial_lrs, self.average = state.initial_lrs, nil
  if state.average then
    self.average = ModelEma(self.model)
    self.average:load_state_dict(state.average)
  end
end

return StochasticWeightAveraging
