--- Saves everything a run needs to go on, in directories update_<n>, epoch_<n> and final;
-- `resume_from` of train finds them. A disk that refuses is reported; the training goes on.

local class = require "perilune.class"
local errors = require "perilune.errors"
local directory = require "perilune.state.directory"
local places = require "perilune.state.places"
local saving = require "perilune.state.saving"
local Interval = require "perilune.interval"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local SaveTrainingStateCallback = class("SaveTrainingStateCallback", TrainerCallback)

SaveTrainingStateCallback.options = {
  { "save_dir", "training_states", doc = "where; in the trainer's root_dir if it has one" },
  { "every", type = "table",
    doc = "{ updates = n }, { batches = n }, { epochs = n } or { seconds = s }" },
  { "save_every_n_epochs", type = "integer", min = 1, doc = "the same as every = { epochs = n }" },
  { "save_every_n_steps", type = "integer", min = 1, doc = "the same as every = { updates = n }" },
  { "save_at_end", true, doc = "save `final` when the run ends" },
  { "max_checkpoints", type = "integer", min = 1,
    doc = "keep so many of the newest, beside final" },
}

local function intervals_of(o)
  local list = {}
  local function add(spec)
    list[#list + 1] = Interval(spec, "SaveTrainingStateCallback: every")
  end
  if o.every then add(o.every) end
  if o.save_every_n_epochs then add{ epochs = o.save_every_n_epochs } end
  if o.save_every_n_steps then add{ updates = o.save_every_n_steps } end
  if #list == 0 and not o.save_at_end then
    errors.raise("argument", "SaveTrainingStateCallback: give `every`, or it never saves",
      { argument = "every" })
  end
  return list
end

function SaveTrainingStateCallback:init(o)
  o = SaveTrainingStateCallback:check(o)
  self.save_dir, self.save_at_end = o.save_dir, o.save_at_end
  self.max_checkpoints = o.max_checkpoints or nil
  self.intervals, self.batches = intervals_of(o), 0
end

--- Where the states of a trainer are.
function SaveTrainingStateCallback:state_directory(trainer)
  return places.inside(trainer.root_dir, self.save_dir)
end

local function prune(self, trainer, where)
  local states = {}
  for _, state in ipairs(directory.list(where)) do
    if state.name:find("^update_%d+$") or state.name:find("^epoch_%d+$") then
      states[#states + 1] = state
    end
  end
  for i = 1, #states - self.max_checkpoints do saving.remove(trainer, states[i].path) end
end

local function save(self, trainer, name, now)
  local where = self:state_directory(trainer)
  trainer:save_training_state(where .. "/" .. name, { go_on = true, now = now or false,
    after = function(saved)
      if saved and self.max_checkpoints then prune(self, trainer, where) end
    end })
end

local function save_if_due(self, trainer, unit, count, name)
  for _, every in ipairs(self.intervals) do
    if every:due(unit, count, trainer.process_group) then return save(self, trainer, name) end
  end
end

--- A killed run may have left more than is kept, and the run that goes on may have nothing to save.
function SaveTrainingStateCallback:on_training_run_start(trainer)
  for _, every in ipairs(self.intervals) do every:start() end
  if self.max_checkpoints then prune(self, trainer, self:state_directory(trainer)) end
end

function SaveTrainingStateCallback:on_optimizer_step_end(trainer)
  save_if_due(self, trainer, "updates", trainer.update, ("update_%d"):format(trainer.update))
end

function SaveTrainingStateCallback:on_train_step_end(trainer)
  self.batches = self.batches + 1
  save_if_due(self, trainer, "batches", self.batches, ("update_%d"):format(trainer.update))
end

function SaveTrainingStateCallback:on_training_run_epoch_end(trainer)
  local epoch = trainer.run_history.current_epoch
  save_if_due(self, trainer, "epochs", epoch, ("epoch_%d"):format(epoch))
end

-- Both events come between two updates, so `final` is saved at once: a run that is stopped inside
-- of an epoch before the epoch is wound up, and any before another callback loads the best model.
function SaveTrainingStateCallback:on_stop_training(trainer)
  if self.save_at_end then save(self, trainer, "final", true) end
end

function SaveTrainingStateCallback:on_training_run_end(trainer)
  if self.save_at_end and not trainer.has_stopped then save(self, trainer, "final", true) end
end

function SaveTrainingStateCallback:state_dict()
  return { batches = self.batches }
end

function SaveTrainingStateCallback:load_state_dict(state)
  self.batches = state.batches
end

return SaveTrainingStateCallback
