--- Passes without gradients: what an evaluation and a prediction are made of, and how the
-- evaluations of a run are recorded. trainer.lua says when they happen.

local context = require "perilune.context"
local errors = require "perilune.errors"
local edges = require "perilune.trainer.edges"
local limits = require "perilune.trainer.limits"
local modes = require "perilune.trainer.modes"
local InMemoryRunHistory = require "perilune.in_memory_run_history"
local Predictions = require "perilune.trainer.predictions"

local evaluating = {}

local function eval_step(self, batch, step)
  local handler = self.callback_handler
  handler:call_event("on_eval_step_start", self, batch)
  local output = self.strategy:forward(self.calculate_eval_batch_loss, self, batch)
  self.eval_measures:update(output, nil, step)
  if self.eval_metrics[1] then self:update_metrics(self.eval_metrics, batch, output) end
  handler:call_event("on_eval_step_end", self, batch, output, step)
end

local function predict_step(self, batch, step)
  local handler = self.callback_handler
  handler:call_event("on_predict_step_start", self, batch)
  local outputs = self.strategy:forward(self.calculate_predictions, self, batch)
  if self.predictions then self.predictions:add(outputs) end
  handler:call_event("on_predict_step_end", self, batch, outputs, step)
end

-- In an evaluation or prediction on its own: one that was aborted has seen a part of its batches.
local function check_eval_interrupt(self, step)
  edges.check_interrupt(self)
  if self.stop_now then
    errors.raise("interrupted", ("aborted after %d batches; numbers of a part would mislead")
      :format(step))
  end
end

-- A pass without gradients; `one_step` is eval_step or predict_step. A rank whose batches are over
-- takes part until those of all are.
local function eval_batches(self, loader, one_step)
  local scope, step, over = self.eval_scope, 0, false
  local next_batch, state, batch = loader:batches()
  while true do
    scope:close()
    scope:enter()
    if not over then batch = next_batch(state, batch) end
    over = batch == nil
    if not self.process_group:any(not over) then break end
    step = step + 1
    if not over then one_step(self, self.strategy:batch_to_device(batch), step) end
    if not self.train_dataloader then check_eval_interrupt(self, step) end
  end
  scope:close()
end

--- Raise: a loader that gave nothing cannot be meant.
function evaluating.no_batch(name)
  errors.raise("argument", ("the loader of %s gave no batch: is the dataset empty, or "
    .. "smaller than a batch with drop_last?"):format(name))
end

--- How the evaluations of a run are recorded: the names of losses, and what stands before metrics.
evaluating.after_epoch = { losses = "eval_%s_epoch", prefix = "eval_", is_intermediate = false }
evaluating.at_interval = { losses = "eval_%s_epoch", prefix = "eval_", is_intermediate = true }
evaluating.on_request =
  { losses = "intermediate_eval_%s", prefix = "intermediate_eval_", is_intermediate = true }
evaluating.on_its_own =
  { losses = "evaluation_%s", prefix = "evaluation_", is_intermediate = false }

local function evaluate_set(self, set, how, results)
  if set.name then self.eval_dataset, self.eval_dataloader = set.dataset, set.dataloader end
  self.saved_modes = modes.save(self.model)
  self.eval_measures:reset()
  self:phase("eval_epoch_start", how.is_intermediate)
  context.no_grad(eval_batches, self, self.eval_dataloader, eval_step)
  if not self.eval_measures:record(self.run_history, how.losses, how.prefix, results) then
    evaluating.no_batch(set.name and ("the evaluation set '%s'"):format(set.name)
      or "the evaluation")
  end
  self:phase("eval_epoch_end", how.is_intermediate)
  self.saved_modes = modes.restore(self.saved_modes)
end

--- Evaluate on every set.
-- @param how one of the four above
-- @return the losses and metrics by name
function evaluating.evaluate(self, how)
  local history, results = self.run_history, {}
  local prefix = history.metric_name_prefix
  self.saved_prefix = prefix
  for _, set in ipairs(self.eval_sets) do
    history:set_metric_name_prefix(set.name and prefix .. set.name .. "_" or prefix)
    evaluate_set(self, set, how, results)
  end
  history:set_metric_name_prefix(prefix)
  self.saved_prefix = nil
  return results
end

--- A few batches of each evaluation, to find faults before the first epoch. What is recorded goes
-- into a history that is thrown away.
function evaluating.sanity_check(self, num_batches)
  if not self.eval_sets then return end
  local sets, loader = self.eval_sets, self.eval_dataloader
  self.saved_history, self.run_history = self.run_history, InMemoryRunHistory()
  self:emit("on_sanity_check_start")
  self.eval_sets, self.eval_dataloader = limits.sliced_sets(sets, num_batches), nil
  self.eval_dataloader = self.eval_sets[1].dataloader
  evaluating.evaluate(self, evaluating.after_epoch)
  self.eval_sets, self.eval_dataloader = sets, loader
  self:emit("on_sanity_check_end")
  self.run_history, self.saved_history = self.saved_history, nil
end

--- A pass of calculate_predictions over a loader.
-- @param o the options of predict
-- @return what predict returns
function evaluating.predict(self, o)
  self.predictions = o.return_predictions and Predictions(o.concatenate) or nil
  self.saved_modes = modes.save(self.model)
  self:phase("predict_run_start")
  context.no_grad(eval_batches, self, self.predict_dataloader, predict_step)
  self:phase("predict_run_end")
  self.saved_modes = modes.restore(self.saved_modes)
  return self.predictions and self.predictions:all()
end

return evaluating
