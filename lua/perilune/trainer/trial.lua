--- Updates that are taken back: callbacks that try something before a run begins (a learning rate,
-- a batch size) train for a while, and afterwards the trainer is what it was, bit by bit. Nobody
-- else hears of a trial, and nothing of it reaches the run history or a file.

local codec = require "perilune.state.codec"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local options = require "perilune.trainer.options"
local parts = require "perilune.state.parts"
local CallbackHandler = require "perilune.callback_handler"
local InMemoryRunHistory = require "perilune.in_memory_run_history"

local trial = {}

-- A trial has no scheduler, and calls no callback but its own.
local untouched = { scheduler = true, callbacks = true }

-- What of a run is put away, beside its state.
local fields = {
  "callback_handler", "run_history", "scheduler", "update", "edge_update", "epoch_step",
  "last_update", "has_stopped", "stop_requested", "stop_reason", "stop_now", "deadline",
  "eval_interval", "log_interval", "log_due", "logged", "stepped_run", "wanted_states", "root_dir",
  "update_items", "gradient_norm",
}

local function copies(tensors)
  local copied = {}
  for _, name in ipairs(tensors) do copied[name] = tensors[name]:detach():clone():keep() end
  return copied
end

-- Model, optimizer, generator and the rest, with tensors of its own.
local function take(self)
  local state = {}
  for _, part in ipairs(parts) do
    if not untouched[part.name] then state[part.name] = part.take(self) end
  end
  local text, tensors = codec.encode({ weights = self.model:state_dict(), parts = state }, "trial")
  return { text = text, tensors = copies(tensors) }
end

local function lay(self, taken)
  local saved = codec.decode(taken.text, taken.tensors)
  self.model:load_state_dict(saved.weights)
  for _, part in ipairs(parts) do
    if not untouched[part.name] then part.lay(self, saved.parts[part.name], {}) end
  end
  self:optimizer_zero_grad()
end

local function put_away(self)
  local kept = {}
  for _, name in ipairs(fields) do kept[name] = rawget(self, name) end
  return kept
end

local function put_back(self, kept)
  for _, name in ipairs(fields) do self[name] = kept[name] end
end

local function handler_of(self, callbacks)
  local handler = CallbackHandler(options.all_events(self))
  handler:add_callbacks(callbacks)
  return handler
end

-- A run of its own: nothing of the surrounding one ends, evaluates, logs, saves or pauses it.
local function set_up(self, updates, callbacks)
  self.callback_handler, self.run_history = handler_of(self, callbacks), InMemoryRunHistory()
  self.scheduler, self.deadline, self.root_dir = nil, nil, nil
  self.eval_interval, self.log_interval, self.stepped_run = nil, nil, nil
  self.has_stopped, self.stop_requested, self.stop_reason, self.stop_now = false, false, nil, true
  self.logged, self.wanted_states = {}, {}
  self.update, self.last_update = 0, updates
end

--- Train `updates` updates in the run that is beginning, then take everything back, after an error
-- too; a callback that stops the trainer ends the trial early.
-- @param body trains until the trainer has stopped or has made its last update
-- @raise what went wrong in it
function trial.run(self, body, o)
  if self.state ~= "running" or not self.train_dataloader or self.resuming then
    errors.raise("user", "Trainer:trial: updates can be tried in on_training_run_start of a run "
      .. "that does not go on from a state")
  end
  local taken, kept = take(self), put_away(self)
  set_up(self, o.updates, o.callbacks)
  local ok, err = xpcall(body, errors.handler, self)
  self.train_scope:close()
  put_back(self, kept)
  lay(self, taken)
  if ok then return end
  engine.C.pl_device_trim(engine.open(self.device))
  error(err, 0)
end

local function stop_at_once(trainer)
  trainer:abort("only its start was wanted")
end

--- The beginning of a training run and nothing more: what a callback does in
-- on_training_run_start, without the trainer's other callbacks and without a trace in its history.
-- @param callback whose hook is called
-- @param o the options of train
function trial.start_only(self, callback, o)
  local kept = { handler = self.callback_handler, history = self.run_history, update = self.update,
    state = self.state, root_dir = self.root_dir }
  local given = { num_epochs = 1 }
  for name, value in next, o or {} do given[name] = value end
  self.callback_handler = handler_of(self, { callback, { priority = -1000,
    on_training_run_start = function(_, trainer) stop_at_once(trainer) end } })
  self.run_history, self.root_dir = InMemoryRunHistory(), nil
  local ok, err = xpcall(self.train, errors.handler, self, given)
  self.callback_handler, self.run_history, self.update = kept.handler, kept.history, kept.update
  self.root_dir = kept.root_dir
  if not ok then error(err, 0) end
  self.state = kept.state
end

return trial
