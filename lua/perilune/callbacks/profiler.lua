--- Times a run: its phases (the methods of the trainer, the events of callbacks, and next_batch,
-- the wait for the loader), the modules of the model and the ops. The table is printed when the run
-- ends, whichever way it ends; `profile` keeps it. In a run methods of this trainer are wrapped;
-- afterwards they are what they were.

local class = require "perilune.class"
local places = require "perilune.state.places"
local Profile = require "perilune.profile"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local Profiler = class("Profiler", TrainerCallback)

Profiler.options = {
  { "trace", type = "string",
    doc = "a file for chrome://tracing or Perfetto; in the trainer's root_dir if it has one" },
  { "sort_by", "self", choices = { "self", "total", "count" }, doc = "of the table" },
  { "row_limit", 15, type = "integer", min = 1, doc = "rows of each part of the table" },
  { "max_events", 200000, type = "integer", min = 0,
    doc = "how many ops and how many spans the trace holds at most" },
}

--- Before all others, so that their hooks are in it.
Profiler.priority = 1000

local phases = {
  "train_epoch_start", "calculate_train_batch_loss", "update_metrics", "backward_step",
  "scale_gradients", "clip_gradients", "optimizer_step", "scheduler_step", "optimizer_zero_grad",
  "train_epoch_end", "eval_epoch_start", "calculate_eval_batch_loss", "eval_epoch_end",
  "training_run_epoch_end", "training_run_end", "evaluation_run_end", "calculate_predictions",
  "predict_run_end",
}

local function finish(profile, level, ...)
  profile:leave(level)
  return ...
end

-- Puts f(method, ...) in the place of a method of this one object.
local function wrap(self, object, name, f)
  local own, method = rawget(object, name), object[name]
  if type(method) ~= "function" then return end
  self.wrapped[#self.wrapped + 1] = { object = object, name = name, own = own }
  rawset(object, name, function(...) return f(method, ...) end)
end

local function wrap_phase(self, trainer, name)
  local profile = self.profile
  wrap(self, trainer, name, function(method, ...)
    return finish(profile, profile:enter("phase", name), method(...))
  end)
end

local function wrap_events(self, handler)
  local profile = self.profile
  wrap(self, handler, "call_event", function(method, object, event, ...)
    if not object.hooks[event] then return end
    return finish(profile, profile:enter("event", event), method(object, event, ...))
  end)
end

-- A loader's pass begins with batches() or, where it has that, batches_after(n).
local function wrap_loader(self, loader)
  local profile = self.profile
  if self.loaders[loader] then return end
  self.loaders[loader] = true
  wrap(self, loader, loader.batches_after and "batches_after" or "batches", function(method, ...)
    local step, state, first = method(...)
    return function(s, batch)
      return finish(profile, profile:enter("phase", "next_batch"), step(s, batch))
    end, state, first
  end)
end

local function unwrap(self)
  for i = #self.wrapped, 1, -1 do
    local one = self.wrapped[i]
    rawset(one.object, one.name, one.own)
  end
  self.wrapped, self.loaders = {}, {}
end

local function start(self, trainer)
  self.wrapped, self.loaders = {}, {}
  self.profile = Profile{ max_events = self.max_events }
  self.profile:start()
  self.is_running = true
  for _, name in ipairs(phases) do wrap_phase(self, trainer, name) end
  wrap_events(self, trainer.callback_handler)
end

function Profiler:on_training_run_start(trainer) start(self, trainer) end
function Profiler:on_evaluation_run_start(trainer) start(self, trainer) end

function Profiler:on_predict_run_start(trainer)
  start(self, trainer)
  wrap_loader(self, trainer.predict_dataloader)
end

function Profiler:on_train_epoch_start(trainer)
  wrap_loader(self, trainer.train_dataloader)
end

function Profiler:on_eval_epoch_start(trainer)
  wrap_loader(self, trainer.eval_dataloader)
end

function Profiler:on_teardown(trainer)
  if not self.is_running then return end
  self.is_running = false
  unwrap(self)
  self.profile:stop()
  trainer:print(self.profile:table{ sort_by = self.sort_by, row_limit = self.row_limit })
  if self.trace and trainer.process_group:is_main() then
    self.profile:export_chrome_trace(places.inside(trainer.root_dir, self.trace))
  end
end

return Profiler
