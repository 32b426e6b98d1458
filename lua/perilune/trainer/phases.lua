--- The phases of a Trainer as they are when nobody overrides them. A subclass redefines one and
-- calls `Trainer.<phase>(self, ...)` for what it did. Those named create_, calculate_ and get_
-- answer values; the others act. trainer.lua says when each is called.

local check = require "perilune.check"
local class = require "perilune.class"
local errors = require "perilune.errors"
local gradients = require "perilune.trainer.gradients"
local TrainerState = require "perilune.state.trainer_state"
local is_tensor = require("perilune.tensor").is_tensor

local TrainerPhases = class("TrainerPhases", TrainerState)

--- The options of the training loader before the user's own are laid over them.
function TrainerPhases:get_default_train_dl_kwargs(batch_size)
  return { batch_size = batch_size, shuffle = true }
end

--- The options of the evaluation loader before the user's own are laid over them.
function TrainerPhases:get_default_eval_dl_kwargs(batch_size)
  return { batch_size = batch_size, shuffle = false }
end

-- Training makes as many updates on each rank, so batches are `even`; an evaluation takes each
-- sample once.
local function create_dataloader(self, dataset, defaults, kwargs, even)
  local merged = self.strategy:dataloader_options()
  merged.collate_fn, merged.even_batches = self.collate_fn, even
  for name, value in next, defaults do merged[name] = value end
  if kwargs.sampler or kwargs.batch_sampler or dataset.iterate then merged.shuffle = nil end
  for name, value in next, kwargs do merged[name] = value end
  return require("perilune.data").DataLoader(dataset, merged)
end

--- Make the loader of `self.train_dataset`: an object with `batches()`, and with `size()` and
-- `set_epoch(n)` where it can offer them.
-- @param kwargs the user's train_dataloader_kwargs
function TrainerPhases:create_train_dataloader(batch_size, kwargs)
  local defaults = self:get_default_train_dl_kwargs(batch_size)
  return create_dataloader(self, self.train_dataset, defaults, kwargs, true)
end

--- Make the loader of `self.eval_dataset`.
-- @param kwargs the user's eval_dataloader_kwargs
function TrainerPhases:create_eval_dataloader(batch_size, kwargs)
  local defaults = self:get_default_eval_dl_kwargs(batch_size)
  return create_dataloader(self, self.eval_dataset, defaults, kwargs, false)
end

--- Make the loader of `self.predict_dataset`.
-- @param kwargs the user's dataloader_kwargs
function TrainerPhases:create_predict_dataloader(batch_size, kwargs)
  local defaults = self:get_default_eval_dl_kwargs(batch_size)
  return create_dataloader(self, self.predict_dataset, defaults, kwargs, false)
end

--- Make the object whose `step()` follows every update; nil for none.
function TrainerPhases:create_scheduler()
  local make = self.create_scheduler_fn
  if not make then return nil end
  if class.is_class(make) and make.create_scheduler_fn then
    local name = class.name_of(make)
    errors.raise("argument", ("create_scheduler_fn is the class %s; give %s:create_scheduler_fn{ "
      .. "... }"):format(name, name), { argument = "create_scheduler_fn" })
  end
  local scheduler = make(self.optimizer, self.run_config)
  if scheduler ~= nil and (type(scheduler) ~= "table"
    or not (scheduler.step or scheduler.step_update)) then
    errors.raise("argument", ("create_scheduler_fn must return an object with step(), got %s")
      :format(check.describe(scheduler)), { argument = "create_scheduler_fn" })
  end
  return scheduler
end

local function calculate_batch_loss(self, batch)
  if not self.loss_func then
    errors.raise("argument", "this trainer has no loss_func; give one, or override "
      .. "calculate_train_batch_loss and calculate_eval_batch_loss", { argument = "loss_func" })
  end
  local inputs = batch[1]
  if not is_tensor(inputs) then
    errors.raise("user", ("the first value of a batch must be a tensor, got %s; override "
      .. "calculate_train_batch_loss and calculate_eval_batch_loss for other batches"):format(
      check.describe(inputs)))
  end
  local outputs = self.model(inputs)
  local loss = self.loss_func(outputs, batch[2])
  return { loss = loss, model_outputs = outputs, batch_size = inputs:size(1) }
end

--- Forward pass and loss of a training batch.
-- @return { loss = mean over the batch, model_outputs =, batch_size =, ... }; `losses`, a list of
--   { "name", tensor }, are recorded by name beside it; `num_items` is how many items the loss is
--   the mean of where those are not samples (tokens); further fields reach the callbacks untouched
function TrainerPhases:calculate_train_batch_loss(batch)
  return calculate_batch_loss(self, batch)
end

--- Forward pass and loss of an evaluation batch; gradients are off.
-- @return as calculate_train_batch_loss
function TrainerPhases:calculate_eval_batch_loss(batch)
  return calculate_batch_loss(self, batch)
end

--- What the model gives for a batch of a prediction; gradients are off and the model is in
-- evaluation mode.
-- @return a tensor, or a table of tensors, one row for each sample
function TrainerPhases:calculate_predictions(batch)
  return self.model(batch[1])
end

--- Give a batch to the metrics; gradients are off. Override it where targets are not `batch[2]`.
-- @param list the metrics, of training or of evaluation
function TrainerPhases:update_metrics(list, batch, output)
  for i = 1, #list do list[i]:update(output.model_outputs, batch[2]) end
end

--- Find the gradients of a loss that is divided by the number of batches of its update, or
-- multiplied by its items where loss_weighting = "items".
function TrainerPhases:backward_step(loss)
  self.strategy:backward(loss)
end

--- Multiply all gradients, when those of an update turn out to be sums.
function TrainerPhases:scale_gradients(factor)
  gradients.scale(gradients.list(self.optimizer), factor)
end

--- Clip as the run config says, once per update; `self.gradient_norm` is the norm before.
function TrainerPhases:clip_gradients()
  local config = self.run_config
  local value, norm = config.gradient_clip_value, config.gradient_clip_norm
  if value or norm then
    self.gradient_norm = self.strategy:clip_gradients(self.optimizer, value, norm)
  end
end

--- Make the update. A subclass whose optimizers step in turn calls
-- `self.strategy:optimizer_step(self.optimizer.generator)` for each.
-- @return false if it was left out, as loss scaling does; the scheduler stays where it is then
function TrainerPhases:optimizer_step()
  return self.strategy:optimizer_step(self.optimizer)
end

--- One more update: of the scheduler's own count, or of the one it is told.
function TrainerPhases:scheduler_step()
  local scheduler = self.scheduler
  if not scheduler then return end
  if scheduler.step then return scheduler:step() end
  scheduler:step_update(scheduler.num_updates + 1)
end

function TrainerPhases:optimizer_zero_grad()
  if self.optimizer then self.optimizer:zero_grad() end
end

--- Begins with clean gradients, whatever happened before.
function TrainerPhases:training_run_start()
  self:optimizer_zero_grad()
end

function TrainerPhases:train_epoch_start()
  if self.model.train then self.model:train() end
end

function TrainerPhases:eval_epoch_start()
  if self.model.eval then self.model:eval() end
end

function TrainerPhases:predict_run_start()
  if self.model.eval then self.model:eval() end
end

function TrainerPhases:predict_run_end() end
function TrainerPhases:train_epoch_end() end
function TrainerPhases:eval_epoch_end() end

--- Shows the metrics of the epoch to a scheduler that follows them.
function TrainerPhases:training_run_epoch_end()
  local scheduler = self.scheduler
  if scheduler and scheduler.step_epoch then scheduler:step_epoch(self.run_history) end
end

function TrainerPhases:training_run_end() end
function TrainerPhases:evaluation_run_start() end
function TrainerPhases:evaluation_run_end() end
function TrainerPhases:teardown() end

--- The tensors of all ranks, joined along the first dimension.
function TrainerPhases:gather(tensor)
  return self.process_group:gather(tensor)
end

return TrainerPhases
