--- What a Trainer takes and what it tells: its options, those of its runs, and the events in the
-- order in which a run reaches them.

local class = require "perilune.class"
local errors = require "perilune.errors"
local RunHistory = require "perilune.run_history"

local options = {}

options.init = {
  { "model", type = "table", required = true, doc = "the nn.Module to train" },
  { "loss_func", type = "callable",
    doc = "called as loss_func(outputs, targets); optional where calculate_* is overridden" },
  { "optimizer", type = "table",
    doc = "updates the parameters; several as a list, or { { \"name\", optimizer }, ... }" },
  { "callbacks", type = "list",
    doc = "instances, classes or tables of functions; replaces the default callbacks" },
  { "metrics", type = "list",
    doc = "names or objects with update, compute, reset and merge, measured beside the loss" },
  { "train_metrics", true, doc = "measure the metrics in training too" },
  { "run_history", type = RunHistory, doc = "where the metrics of a run are recorded" },
  { "accelerator", type = "any",
    doc = "hardware: \"auto\", \"gpu\", a name of pl.accelerators, an instance or a class" },
  { "devices", type = "any",
    doc = "\"auto\", -1 (all), a number, or ids: { 0, 1 }, \"0,1\", \"3,\"" },
  { "strategy", type = "any", doc = "\"auto\", a name of pl.strategies, an instance or a class" },
  { "precision", type = "any", doc = "a name of pl.precisions, an instance or a class; 32" },
  { "seed", type = "integer", min = 0,
    doc = "seeds every generator, as pl.manual_seed does; drawn when not given" },
  { "root_dir", type = "string", doc = "where training states are kept and looked for" },
  { "quiet", false, doc = "print nothing but errors" },
  { "detect_anomaly", false,
    doc = "check every op's outputs, so that a NaN names the op that made it first (slow)" },
  { "deterministic", false, type = { "boolean", "string" }, choices = { true, false, "warn" },
    doc = "refuse ops whose results may differ from run to run; \"warn\" only says so" },
}

--- A class where an object of it is meant: `nn.MSELoss` for `nn.MSELoss()`.
function options.refuse_classes(o)
  for _, name in ipairs{ "model", "loss_func", "optimizer" } do
    if class.is_class(o[name]) then
      errors.raise("argument", ("Trainer: '%s' is the class %s; give an object made of it, %s(...)")
        :format(name, class.name_of(o[name]), class.name_of(o[name])), { argument = name })
    end
  end
end

options.train = {
  { "train_dataset", type = "table", required = true, doc = "what to train on" },
  { "eval_dataset", type = "table",
    doc = "what to evaluate on after each epoch; several as { { \"name\", dataset }, ... }" },
  { "num_epochs", type = "integer", min = 1, doc = "passes over train_dataset" },
  { "max_updates", type = "integer", min = 1,
    doc = "optimizer updates of this call; with num_epochs, whichever ends first" },
  { "max_time", type = { "number", "string" },
    doc = "seconds, or \"DD:HH:MM:SS\", after which the run stops at an update's edge" },
  { "min_epochs", type = "integer", min = 1, doc = "epochs before stop() has an effect" },
  { "min_updates", type = "integer", min = 1, doc = "updates before stop() has an effect" },
  { "eval_every", type = "table",
    doc = "{ updates = n }, { batches = n }, { epochs = n } or { seconds = s }; else each epoch" },
  { "log_every", { updates = 50 }, type = "table",
    doc = "the same form: when on_log tells values" },
  { "limit_train_batches", type = "table", doc = "{ batches = n } or { fraction = f }, per epoch" },
  { "limit_eval_batches", type = "table", doc = "the same for every evaluation" },
  { "overfit_batches", type = "integer", min = 1,
    doc = "only the first n batches of each loader, not shuffled: a model must learn those" },
  { "sanity_batches", type = "integer", min = 1,
    doc = "evaluate so many batches before the first epoch, to find faults early" },
  { "dry_run", type = "integer", min = 1,
    doc = "one epoch of at most n batches in each loop, to see that all of it works" },
  { "per_device_batch_size", 8, type = "integer", min = 1, doc = "samples of one batch" },
  { "gradient_accumulation_steps", 1, type = "integer", min = 1, doc = "batches of one update" },
  { "loss_weighting", "batches", choices = { "batches", "items" },
    doc = "how batches count in an update: alike, or by num_items, else batch_size" },
  { "gradient_clip_value", type = "number", min = 0,
    doc = "limits every gradient element to [-value, value], once per update" },
  { "gradient_clip_norm", type = "number", min = 0,
    doc = "scales all gradients to at most this 2-norm, once per update" },
  { "create_scheduler_fn", type = "callable",
    doc = "create_scheduler_fn(optimizer, run_config): its step() follows each update" },
  { "train_dataloader_kwargs", type = "table", doc = "options of the training DataLoader" },
  { "eval_dataloader_kwargs", type = "table", doc = "options of the evaluation DataLoader" },
  { "collate_fn", type = "callable", doc = "makes a batch of a list of samples; both loaders" },
  { "resume_from", type = "string",
    doc = "a training state to go on from: auto (the newest, if any), last, best or a path" },
  { "reset_run_history", true, doc = "false: epochs and updates go on from the last call" },
}

options.steps = options.train

options.evaluate = {
  { "dataset", type = "table", required = true,
    doc = "what to evaluate on; several as { { \"name\", dataset }, ... }" },
  { "per_device_batch_size", 8, type = "integer", min = 1, doc = "samples of one batch" },
  { "dataloader_kwargs", type = "table", doc = "options of the DataLoader" },
  { "collate_fn", type = "callable", doc = "makes a batch of a list of samples" },
  { "limit_batches", type = "table", doc = "{ batches = n } or { fraction = f }" },
}

options.predict = {
  { "dataset", type = "table", required = true, doc = "what to predict" },
  { "per_device_batch_size", 8, type = "integer", min = 1, doc = "samples of one batch" },
  { "dataloader_kwargs", type = "table", doc = "options of the DataLoader" },
  { "collate_fn", type = "callable", doc = "makes a batch of a list of samples" },
  { "limit_batches", type = "table", doc = "{ batches = n } or { fraction = f }" },
  { "return_predictions", true, doc = "false where on_predict_step_end takes them" },
  { "concatenate", true, doc = "join the outputs of the batches along the first dimension" },
}

options.trial = {
  { "updates", type = "integer", required = true, min = 1, doc = "how many are tried" },
  { "callbacks", {}, type = "list", doc = "instances, classes or tables of functions" },
}

options.events = {
  "on_init_end",
  "on_training_run_start",
  "on_sanity_check_start", "on_sanity_check_end",
  "on_train_epoch_start",
  "on_train_step_start", "on_train_batch_loss", "on_backward_end",
  "on_before_optimizer_step", "on_optimizer_step_end", "on_train_step_end", "on_log",
  "on_train_epoch_end",
  "on_evaluation_run_start",
  "on_eval_epoch_start", "on_eval_step_start", "on_eval_step_end", "on_eval_epoch_end",
  "on_evaluation_run_end",
  "on_training_run_epoch_end",
  "on_training_run_end",
  "on_predict_run_start", "on_predict_step_start", "on_predict_step_end", "on_predict_run_end",
  "on_stop_training", "on_non_finite_loss", "on_exception", "on_teardown",
}

--- The events of an object's class and of its supers.
-- @return a list of names
function options.all_events(object)
  local events, owner = {}, getmetatable(object)
  while owner do
    for _, event in ipairs(rawget(owner, "events") or {}) do events[#events + 1] = event end
    owner = rawget(owner, "super")
  end
  return events
end

return options
