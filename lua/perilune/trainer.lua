--- The training loop. Every phase is one method that a subclass may override, followed by the
-- event of its name for the callbacks, in the order this file reads in. Nothing here waits for
-- the device: losses are read when somebody asks (loss_tracker.lua).

local check = require "perilune.check"
local class = require "perilune.class"
local context = require "perilune.context"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local random = require "perilune.random"
local resume = require "perilune.state.resume"
local saving = require "perilune.state.saving"
local suggest = require "perilune.suggest"
local CallbackHandler = require "perilune.callback_handler"
local InMemoryRunHistory = require "perilune.in_memory_run_history"
local LossTracker = require "perilune.loss_tracker"
local ProcessGroup = require "perilune.process_group"
local TrainerPhases = require "perilune.trainer.phases"
local metrics = require "perilune.metrics"
local modes = require "perilune.trainer.modes"
local options = require "perilune.trainer.options"
local prepare = require "perilune.trainer.prepare"
local run = require "perilune.trainer.run"
local terminal = require "perilune.terminal"

local is_tensor = require("perilune.tensor").is_tensor

local Trainer = class("Trainer", TrainerPhases)

Trainer.options = options.init

--- The events a class adds, `MyTrainer.events = { "on_reward" }`; those of its supers stay known.
Trainer.events = options.events

local function all_events(self)
  local events, owner = {}, getmetatable(self)
  while owner do
    for _, event in ipairs(rawget(owner, "events") or {}) do events[#events + 1] = event end
    owner = rawget(owner, "super")
  end
  return events
end

function Trainer:init(o)
  o = Trainer:check(o)
  self.model, self.loss_func, self.optimizer = o.model, o.loss_func, o.optimizer
  self.run_history = o.run_history or InMemoryRunHistory()
  self.quiet, self.detect_anomaly = o.quiet, o.detect_anomaly
  self.root_dir = o.root_dir or nil
  self.process_group, self.device = ProcessGroup(), "cpu"
  self.state, self.update = "idle", 0
  if o.seed then random.manual_seed(o.seed) end
  self.eval_metrics = metrics.make(o.metrics or {})
  self.train_metrics = o.train_metrics and metrics.copies(self.eval_metrics) or {}
  local function on_non_finite(loss, update, step)
    self:emit("on_non_finite_loss", loss, update, step)
  end
  self.train_loss_tracker = LossTracker(self.device, self.process_group, on_non_finite)
  self.eval_loss_tracker = LossTracker(self.device, self.process_group, on_non_finite)
  self.callback_handler = CallbackHandler(all_events(self))
  self.callback_handler:add_callbacks(
    o.callbacks or require("perilune.callbacks").get_default_callbacks())
  self:emit("on_init_end")
end

---------------------------------------------------------------------------------------------------
-- What callbacks and users call.

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
function Trainer:phase(name)
  self[name](self)
  self:emit("on_" .. name)
end

--- End the run in good order at the next step edge of training: on_stop_training, then the end of
-- the epoch and of the run. An evaluation that is under way is finished first.
function Trainer:stop(reason)
  self.stop_requested, self.stop_reason = true, reason
end

--- Print a line, on the main rank and unless `quiet`; a progress bar stays below it.
function Trainer:print(text)
  if not self.quiet and self.process_group:is_main() then terminal.print(tostring(text)) end
end

---------------------------------------------------------------------------------------------------
-- One step.

local function check_output(output)
  if type(output) ~= "table" or is_tensor(output) or not is_tensor(output.loss)
    or type(output.batch_size) ~= "number" then
    errors.raise("user", "calculate_train_batch_loss and calculate_eval_batch_loss must return "
      .. "{ loss = a tensor, model_outputs = anything, batch_size = a number }")
  end
end

-- `self.update` has been counted already: it is the update being worked on.
local function update_parameters(self, handler)
  self:clip_gradients()
  self:optimizer_step()
  self:scheduler_step()
  self:optimizer_zero_grad()
  handler:call_event("on_optimizer_step_end", self)
end

-- One batch. `share` is how many batches its update is made of; `due` says that it is the last.
local function train_step(self, batch, step, share, due)
  local handler = self.callback_handler
  handler:call_event("on_train_step_start", self, batch)
  local output = self:calculate_train_batch_loss(batch)
  check_output(output)
  self.train_loss_tracker:update(output.loss, output.batch_size, self.update, step)
  if self.train_metrics[1] then
    context.no_grad(self.update_metrics, self, self.train_metrics, batch, output)
  end
  handler:call_event("on_train_batch_loss", self, batch, output)
  self:backward_step(share == 1 and output.loss or output.loss / share)
  handler:call_event("on_backward_end", self)
  if due then update_parameters(self, handler) end
  handler:call_event("on_train_step_end", self, batch, output, step)
end

local function eval_step(self, batch, step)
  local handler = self.callback_handler
  handler:call_event("on_eval_step_start", self, batch)
  local output = self:calculate_eval_batch_loss(batch)
  check_output(output)
  self.eval_loss_tracker:update(output.loss, output.batch_size, nil, step)
  if self.eval_metrics[1] then self:update_metrics(self.eval_metrics, batch, output) end
  handler:call_event("on_eval_step_end", self, batch, output, step)
end

-- `math.random` in hooks and losses depends on the seed and the update alone. The sum is exact in
-- a double, so no two updates of a run share it.
local function start_update(self)
  self.update = self.update + 1
  math.randomseed(self.seed % 2147483648 * 4194304 + self.update % 4194304)
end

local function check_interrupt(self)
  if engine.interrupted() == 0 then return end
  engine.take_interrupt()
  errors.raise("interrupted", ("interrupted in epoch %d after update %d; %s")
    :format(self.run_history.current_epoch, self.update, saving.interrupted(self)))
end

---------------------------------------------------------------------------------------------------
-- One epoch. Each batch lives in a scope that ends when the next batch begins.

-- Whether the run has been told to stop, which all ranks agree on here.
local function stopped(self)
  if self.has_stopped then return true end
  if not self.process_group:any(self.stop_requested) then return false end
  self.has_stopped = true
  self:emit("on_stop_training", self.stop_reason)
  return true
end

-- The first `skip` batches were taken before the run was resumed.
local function train_batches(self, loader, skip)
  local scope, accumulation = self.train_scope, self.run_config.gradient_accumulation_steps
  local batches = loader.size and loader:size() or math.huge
  local step, in_group, share = skip, 0, accumulation
  saving.seed_epoch(self, 1)
  local next_batch, state, batch = resume.batches(loader, skip)
  while in_group > 0 or (self.update < self.last_update and not stopped(self)) do
    scope:close()
    scope:enter()
    batch = next_batch(state, batch)
    if batch == nil then break end
    step, in_group = step + 1, in_group + 1
    if in_group == 1 then
      share = math.min(accumulation, batches - step + 1)
      start_update(self)
    end
    random.next_step()
    train_step(self, batch, step, share, in_group == share)
    if in_group == share then
      in_group = 0
      saving.edge(self, step)
      check_interrupt(self)
    end
  end
  -- Only a loader that could not tell its size ends in the middle of an update.
  if in_group > 0 then update_parameters(self, self.callback_handler) end
  saving.edge(self, step)
  scope:close()
  if batch ~= nil and type(state) == "table" and state.close then state:close() end
end

local function eval_batches(self, loader)
  local scope, step = self.eval_scope, 0
  local next_batch, state, batch = loader:batches()
  while true do
    scope:close()
    scope:enter()
    batch = next_batch(state, batch)
    if batch == nil then break end
    step = step + 1
    eval_step(self, batch, step)
    check_interrupt(self)
  end
  scope:close()
end

local function start_measuring(tracker, list)
  tracker:reset()
  for _, metric in ipairs(list) do metric:reset() end
end

local function record(self, loss_name, prefix, tracker, list)
  local results = { [loss_name] = tracker:average() }
  if not results[loss_name] then
    if self.has_stopped then return end
    errors.raise("argument", "the loader gave no batch: is the dataset empty?")
  end
  self.run_history:update_metric(loss_name, results[loss_name])
  for _, metric in ipairs(list) do
    local name = prefix .. metrics.name_of(metric)
    results[name] = metric:compute()
    self.run_history:update_metric(name, results[name])
  end
  return results
end

local function train_epoch(self)
  local loader = self.train_dataloader
  saving.seed_epoch(self, 0)
  if loader.set_epoch then loader:set_epoch(self.run_history.current_epoch) end
  start_measuring(self.train_loss_tracker, self.train_metrics)
  self:phase("train_epoch_start")
  train_batches(self, loader, resume.lay_over(self, true))
  saving.seed_epoch(self, 2)
  record(self, "train_loss_epoch", "train_", self.train_loss_tracker, self.train_metrics)
  self:phase("train_epoch_end")
end

local function eval_epoch(self, loss_name, prefix)
  self.saved_modes = modes.save(self.model)
  start_measuring(self.eval_loss_tracker, self.eval_metrics)
  self:phase("eval_epoch_start")
  context.no_grad(eval_batches, self, self.eval_dataloader)
  local results = record(self, loss_name, prefix, self.eval_loss_tracker, self.eval_metrics)
  self:phase("eval_epoch_end")
  self.saved_modes = modes.restore(self.saved_modes)
  return results
end

---------------------------------------------------------------------------------------------------
-- Runs.

local function training(self, o)
  prepare.training(self, o)
  local history = self.run_history
  local last_epoch = self.first_epoch + (o.num_epochs or math.huge) - 1
  self:phase("training_run_start")
  resume.lay_over(self, false)
  while history.current_epoch <= last_epoch and self.update < self.last_update
    and not stopped(self) do
    train_epoch(self)
    if stopped(self) then break end
    if self.eval_dataloader then eval_epoch(self, "eval_loss_epoch", "eval_") end
    self:phase("training_run_epoch_end")
    history:increment_epoch()
    saving.edge(self, 0)
  end
  self:phase("training_run_end")
  saving.edge(self)
  return history
end

local function evaluation(self, o)
  prepare.evaluation(self, o)
  self:phase("evaluation_run_start")
  local results = eval_epoch(self, "evaluation_loss", "evaluation_")
  self:phase("evaluation_run_end")
  return results
end

--- Train the model; trainer/options.lua says what it takes.
-- @return the run history
-- @raise what went wrong, after on_exception and teardown
function Trainer:train(...)
  return run(self, training, check.call(options.train, "Trainer:train", ...))
end

--- Measure the loss and the metrics on a dataset; the model's train and eval modes stay as they
-- are.
-- @return { evaluation_loss =, evaluation_<metric> =, ... }, which the run history holds as well
function Trainer:evaluate(...)
  return run(self, evaluation, check.call(options.evaluate, "Trainer:evaluate", ...))
end

return Trainer
