--- The training loop. Every phase is one method that a subclass may override, followed by the
-- event of its name for the callbacks, in the order this file reads in. Nothing here waits for
-- the device: losses are read when somebody asks (loss_tracker.lua). The passes without gradients
-- are in trainer/evaluating.lua.

local check = require "perilune.check"
local class = require "perilune.class"
local context = require "perilune.context"
local errors = require "perilune.errors"
local random = require "perilune.random"
local resume = require "perilune.state.resume"
local saving = require "perilune.state.saving"
local suggest = require "perilune.suggest"
local CallbackHandler = require "perilune.callback_handler"
local InMemoryRunHistory = require "perilune.in_memory_run_history"
local Measures = require "perilune.trainer.measures"
local OptimizerList = require "perilune.trainer.optimizer_list"
local TrainerControls = require "perilune.trainer.controls"
local connect_hardware = require "perilune.trainer.hardware"
local edges = require "perilune.trainer.edges"
local evaluating = require "perilune.trainer.evaluating"
local logging = require "perilune.trainer.logging"
local metrics = require "perilune.metrics"
local options = require "perilune.trainer.options"
local prepare = require "perilune.trainer.prepare"
local run = require "perilune.trainer.run"
local stepping = require "perilune.trainer.stepping"
local trial = require "perilune.trainer.trial"

local Trainer = class("Trainer", TrainerControls)

Trainer.options = options.init

--- The events a class adds, `MyTrainer.events = { "on_reward" }`; those of its supers stay known.
Trainer.events = options.events

function Trainer:init(o)
  o = Trainer:check(o)
  options.refuse_classes(o)
  self.model, self.loss_func = o.model, o.loss_func
  self.optimizer = OptimizerList.of(o.optimizer or nil)
  self.run_history = o.run_history or InMemoryRunHistory()
  self.quiet, self.detect_anomaly = o.quiet, o.detect_anomaly
  self.deterministic = o.deterministic
  self.root_dir = o.root_dir or nil
  self.strategy = connect_hardware(o)
  self.process_group, self.device = self.strategy.process_group, self.strategy.root_device
  self.state, self.update = "idle", 0
  if o.seed then random.manual_seed(o.seed) end
  self.eval_metrics = metrics.make(o.metrics or {})
  self.train_metrics = o.train_metrics and metrics.copies(self.eval_metrics) or {}
  self.train_measures = Measures(self, self.train_metrics)
  self.eval_measures = Measures(self, self.eval_metrics)
  self.train_loss_tracker = self.train_measures.loss
  self.eval_loss_tracker = self.eval_measures.loss
  self.callback_handler = CallbackHandler(options.all_events(self))
  self.callback_handler:add_callbacks(
    o.callbacks or require("perilune.callbacks").get_default_callbacks())
  self:emit("on_init_end")
end

---------------------------------------------------------------------------------------------------
-- Events; trainer/controls.lua has what else callbacks and users call.

--- Send an event to the callbacks; its name must be in the class's `events`.
-- @param event "on_..."
-- @param a,b,c,d what the hooks get after the trainer
function Trainer:emit(event, a, b, c, d)
  local handler = self.callback_handler
  if not handler.known[event] then
    errors.raise("argument", ("%s has no event '%s'%s"):format(class.name_of(self),
      tostring(event), suggest.hint(event, handler.events)), { argument = "event" })
  end
  handler:call_event(event, self, a, b, c, d)
end

--- A phase: the method of that name, then its event.
function Trainer:phase(name, a)
  self[name](self, a)
  self:emit("on_" .. name, a)
end

---------------------------------------------------------------------------------------------------
-- One step.

-- `self.update` has been counted already: it is the update being worked on. Its gradients are
-- complete.
local function update_parameters(self, handler)
  self.strategy:finish_gradients(self.optimizer)
  handler:call_event("on_before_optimizer_step", self)
  self:clip_gradients()
  if self:optimizer_step() ~= false then self:scheduler_step() end
  self:optimizer_zero_grad()
  handler:call_event("on_optimizer_step_end", self)
end

-- A batch's part in the gradients of an update of `share` batches. Weighted by items they are
-- summed, and divided when all the items are known.
local function part_of(self, loss, items, share)
  if share == 1 then return loss end
  if not self.weigh_items then return loss / share end
  self.update_items = self.update_items + items
  return loss * items
end

-- One batch. `share` is how many batches its update is made of; `due` says that it is the last.
local function train_step(self, batch, step, share, due)
  local handler = self.callback_handler
  handler:call_event("on_train_step_start", self, batch)
  local output = self.strategy:forward(self.calculate_train_batch_loss, self, batch)
  local items = self.train_measures:update(output, self.update, step)
  if self.train_metrics[1] then
    context.no_grad(self.update_metrics, self, self.train_metrics, batch, output)
  end
  handler:call_event("on_train_batch_loss", self, batch, output)
  self:backward_step(part_of(self, output.loss, items, share))
  handler:call_event("on_backward_end", self)
  if due then
    if share > 1 and self.weigh_items then self:scale_gradients(1 / self.update_items) end
    update_parameters(self, handler)
  end
  handler:call_event("on_train_step_end", self, batch, output, step)
  return output
end

-- `math.random` in hooks and losses depends on the seed and the update alone. The sum is exact in
-- a double, so no two updates of a run share it.
local function start_update(self)
  self.update, self.update_items = self.update + 1, 0
  self.log_due = self.log_interval ~= nil
    and self.log_interval:due("updates", self.update, self.process_group)
  math.randomseed(self.seed % 2147483648 * 4194304 + self.update % 4194304)
end

---------------------------------------------------------------------------------------------------
-- One epoch. Each batch lives in a scope that ends when the next batch begins.

-- The first `skip` batches were taken before the run was resumed.
local function train_batches(self, loader, skip)
  local scope, accumulation = self.train_scope, self.gradient_accumulation_steps
  local batches = loader.size and loader:size() or math.huge
  local step, in_group, share = skip, 0, accumulation
  saving.seed_epoch(self, 1)
  local next_batch, state, batch = resume.batches(loader, skip)
  while in_group > 0 or (self.update < self.last_update and not edges.stopped(self)) do
    scope:close()
    scope:enter()
    batch = next_batch(state, batch)
    if batch == nil then break end
    local placed = self.strategy:batch_to_device(batch)
    step, in_group = step + 1, in_group + 1
    if in_group == 1 then
      share = math.min(accumulation, batches - step + 1)
      start_update(self)
    end
    random.next_step()
    local due = in_group == share
    local output = train_step(self, placed, step, share, due)
    if self.eval_interval then self:evaluate_if_due(step, due) end
    if due then
      in_group = 0
      if self.log_due then logging.flush(self) end
      saving.edge(self, step)
      if self.stepped_run then stepping.pause(self, placed, output) end
      edges.check_interrupt(self)
    end
  end
  -- Only a loader that could not tell its size ends in the middle of an update.
  if in_group > 0 then
    self:scale_gradients(self.weigh_items and 1 / self.update_items or share / in_group)
    update_parameters(self, self.callback_handler)
  end
  saving.edge(self, step)
  scope:close()
  if batch ~= nil and type(state) == "table" and state.close then state:close() end
end

local function train_epoch(self)
  local loader = self.train_dataloader
  saving.seed_epoch(self, 0)
  if loader.set_epoch then loader:set_epoch(self.run_history.current_epoch) end
  self.train_measures:reset()
  self:phase("train_epoch_start")
  train_batches(self, self.train_dataloader, resume.lay_over(self, true))
  saving.seed_epoch(self, 2)
  local any = self.train_measures:record(self.run_history, "train_%s_epoch", "train_", {})
  if not any and not self.has_stopped then evaluating.no_batch("train_dataset") end
  self:phase("train_epoch_end")
end

--- Evaluate now, between or within updates; modes stay as they are. For callbacks, and for the body
-- of a loop over steps.
-- @return { intermediate_eval_loss =, intermediate_eval_<metric> =, ... }, recorded as well
function Trainer:evaluate_now()
  if not self.eval_sets or (self.state ~= "running" and self.state ~= "paused") then
    errors.raise("user", "Trainer:evaluate_now: there is no run with an eval_dataset")
  elseif self.saved_modes then
    errors.raise("user", "Trainer:evaluate_now: an evaluation is under way already")
  end
  return evaluating.evaluate(self, evaluating.on_request)
end

-- For eval_every; its newest values are what watches "eval_loss_epoch" sees.
function Trainer:evaluate_if_due(step, update_over)
  local interval = self.eval_interval
  if interval:due("batches", step)
    or (update_over and interval:due("updates", self.update, self.process_group)) then
    evaluating.evaluate(self, evaluating.at_interval)
  end
end

local function evaluate_epoch(self)
  local interval = self.eval_interval
  if not self.eval_sets then return end
  if not interval or interval:due("epochs", self.run_history.current_epoch) then
    evaluating.evaluate(self, evaluating.after_epoch)
  end
end

---------------------------------------------------------------------------------------------------
-- Runs.

local function training(self, o)
  prepare.training(self, o)
  local history = self.run_history
  self:phase("training_run_start")
  if o.sanity_batches and not self.resuming then evaluating.sanity_check(self, o.sanity_batches) end
  resume.lay_over(self, false)
  while history.current_epoch <= self.last_epoch and self.update < self.last_update
    and not edges.stopped(self) do
    train_epoch(self)
    if edges.stopped(self) then break end
    evaluate_epoch(self)
    self:phase("training_run_epoch_end")
    history:increment_epoch()
    saving.edge(self, 0)
    edges.check_interrupt(self)
  end
  self:phase("training_run_end")
  saving.edge(self)
  return history
end

local function evaluation(self, o)
  prepare.evaluation(self, o)
  self:phase("evaluation_run_start")
  local results = evaluating.evaluate(self, evaluating.on_its_own)
  self:phase("evaluation_run_end")
  return results
end

local function prediction(self, o)
  prepare.prediction(self, o)
  return evaluating.predict(self, o)
end

local function options_of(self, method, ...)
  if not class.is_instance(self, Trainer) then
    errors.raise("argument", ("%s is a method: write trainer:%s{ ... }, with a colon"):format(
      method, method))
  end
  return check.call(options[method], "Trainer:" .. method, ...)
end

--- Train the model; trainer/options.lua says what it takes.
-- @return the run history
-- @raise what went wrong, after on_exception and teardown
function Trainer:train(...)
  return run(self, training, options_of(self, "train", ...))
end

--- Train one update at a time: `for batch, output in trainer:steps{ train_dataset = ... } do`. It
-- takes what train takes. In the body, after a `break` and after an error in the body the run is
-- paused (`trainer.state`); batch and output live until the next update starts. Without arguments
-- it goes on with a paused run.
-- @return what a `for` loop takes
function Trainer:steps(...)
  if select("#", ...) == 0 then return stepping.continue(self) end
  return stepping.start(self, run, training, options_of(self, "steps", ...))
end

local function train_updates(self)
  while self.update < self.last_update and not edges.stopped(self) do
    train_epoch(self)
    self.run_history:increment_epoch()
  end
end

--- Train some updates and take them back: for a callback that tries something in
-- on_training_run_start. Model, optimizer, generator and history are afterwards what they were.
-- @param options { updates = n, callbacks = the only ones that hear of it }
-- @raise what went wrong, with everything taken back
function Trainer:trial(...)
  trial.run(self, train_updates, check.call(options.trial, "Trainer:trial", ...))
end

--- Measure the loss and the metrics on a dataset; the model's train and eval modes stay as they
-- are.
-- @return { evaluation_loss =, evaluation_<metric> =, ... }, which the run history holds as well
function Trainer:evaluate(...)
  return run(self, evaluation, options_of(self, "evaluate", ...))
end

--- What the model gives for a dataset.
-- @return the outputs of all samples, joined along the first dimension; with concatenate = false a
--   list with one entry per batch; nil with return_predictions = false
function Trainer:predict(...)
  return run(self, prediction, options_of(self, "predict", ...))
end

return Trainer
