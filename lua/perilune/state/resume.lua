--- How a run begins where another ended. The run starts as any other; its state is laid over it
-- after the events that had already happened when it was saved: on_training_run_start and, in the
-- middle of an epoch, on_train_epoch_start. So callbacks set themselves up, then get their state.

local errors = require "perilune.errors"
local directory = require "perilune.state.directory"
local training = require "perilune.state.training"

local resume = {}

-- Where the states of this trainer may lie.
local function places(trainer)
  local list = {}
  for _, callback in ipairs(trainer.callback_handler.callbacks) do
    if callback.state_directory then list[#list + 1] = callback:state_directory(trainer) end
  end
  local root = trainer.root_dir
  if root then
    for _, name in ipairs{ "", "/training_states", "/checkpoints" } do
      list[#list + 1] = root .. name
    end
  end
  return list
end

local function candidates(trainer, from)
  local found, seen = {}, {}
  local list = places(trainer)
  if #list == 0 then
    errors.raise("argument", ("resume_from = %q: this trainer has no root_dir and no callback that "
      .. "saves states, so there is nowhere to look"):format(from), { argument = "resume_from" })
  end
  for _, place in ipairs(list) do
    for _, state in ipairs(directory.list(place)) do
      if not seen[state.path] then found[#found + 1] = state end
      seen[state.path] = true
    end
  end
  return found, table.concat(list, ", ")
end

local function is_newer(a, b)
  if a.time ~= b.time then return a.time > b.time end
  return a.update > b.update
end

local function newest(states)
  local best
  for _, state in ipairs(states) do
    if not best or is_newer(state.summary, best.summary) then best = state end
  end
  return best
end

local function is_better(a, b)
  if a.greater_is_better then return a.value > b.value end
  return a.value < b.value
end

local function best_of(states)
  local best
  for _, state in ipairs(states) do
    local score = state.summary.best
    if type(score) == "table" and type(score.value) == "number" then
      if best and score.metric ~= best.summary.best.metric then
        errors.raise("argument", ("resume_from: %s is best by %s and %s by %s; give a path")
          :format(best.path, best.summary.best.metric, state.path, score.metric),
          { argument = "resume_from" })
      end
      if not best or is_better(score, best.summary.best) then best = state end
    end
  end
  return best
end

--- The state that `resume_from` means.
-- @param from "auto", "last", "best" or a path: of a state, or of a directory of states
-- @return its path; nil for "auto" where there is none
function resume.find(trainer, from)
  if from == "auto" or from == "last" or from == "best" then
    local states, where = candidates(trainer, from)
    local state = from == "best" and best_of(states) or from ~= "best" and newest(states)
    if not state and from ~= "auto" then
      errors.raise("io", ("resume_from = %q: no such state in %s"):format(from, where),
        { argument = "resume_from" })
    end
    return state and state.path or nil
  end
  if directory.is_state(from) then return from end
  local state = newest(directory.list(from))
  if not state then
    errors.raise("io", ("resume_from: %s is no training state and has none in it"):format(from),
      { argument = "resume_from" })
  end
  return state.path
end

local function read(path)
  local weights, state = directory.read(path)
  training.check(path, state)
  return { path = path, weights = weights, state = state, step = state.summary.step }
end

--- Before the first phase of a run: what the run's extent depends on.
-- @param o the checked options of train
function resume.begin(trainer, o)
  local history = trainer.run_history
  trainer.first_epoch, trainer.first_update = history.current_epoch, trainer.update
  trainer.epoch_step, trainer.edge_update = 0, trainer.update
  trainer.wanted_states, trainer.resuming = {}, nil
  local path = o.resume_from and resume.find(trainer, o.resume_from)
  if not path then return end
  local pending = read(path)
  local summary = pending.state.summary
  training.check_position(trainer, path, summary)
  history:load_state_dict(pending.state.history)
  trainer.update, trainer.edge_update = summary.update, summary.update
  trainer.first_epoch, trainer.first_update = summary.first_epoch, summary.first_update
  trainer.resuming = pending
end

local function lay(trainer, pending)
  for _, problem in ipairs(training.lay(trainer, pending.path, pending.weights, pending.state)) do
    trainer:print(("%s: %s"):format(pending.path, problem))
  end
end

--- Lay the state that is waiting over the trainer, if this is its place.
-- @param in_epoch true after on_train_epoch_start, false after on_training_run_start
-- @return how many batches of the epoch have been taken already
function resume.lay_over(trainer, in_epoch)
  local pending = trainer.resuming
  if not pending or (pending.step > 0) ~= in_epoch then return 0 end
  trainer.resuming = nil
  lay(trainer, pending)
  trainer:print(("going on from %s after update %d"):format(pending.path, trainer.update))
  return pending.step
end

--- Load a state at once, outside of a run.
-- @return the list of what was missing, left over or different
function resume.load(trainer, path)
  local pending = read(resume.find(trainer, path))
  local problems = training.lay(trainer, pending.path, pending.weights, pending.state)
  local summary = pending.state.summary
  trainer.first_epoch, trainer.first_update = summary.first_epoch, summary.first_update
  return problems
end

--- A pass over a loader behind its first batches. A loader that cannot begin there gives them, and
-- they are dropped.
-- @param skip how many
-- @return what a `for` loop takes
function resume.batches(loader, skip)
  if skip == 0 then return loader:batches() end
  if loader.batches_after then return loader:batches_after(skip) end
  local next_batch, state, batch = loader:batches()
  for _ = 1, skip do
    batch = next_batch(state, batch)
    if batch == nil then break end
  end
  if batch == nil then return function() end, state, nil end
  return next_batch, state, batch
end

return resume
