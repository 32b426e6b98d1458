--- Saves a training state when a run fails, from which `resume_from = "auto"` goes on; a run that
-- ends well takes it away again. After a signal the trainer has saved one itself.

local class = require "perilune.class"
local directory = require "perilune.state.directory"
local places = require "perilune.state.places"
local saving = require "perilune.state.saving"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local OnExceptionCheckpoint = class("OnExceptionCheckpoint", TrainerCallback)

OnExceptionCheckpoint.options = {
  { "dirpath", "checkpoints", doc = "where; in the trainer's root_dir if it has one" },
  { "filename", "on_exception", doc = "the state's name there" },
}

function OnExceptionCheckpoint:init(o)
  o = OnExceptionCheckpoint:check(o)
  self.dirpath, self.filename = o.dirpath, o.filename
end

--- Where the states of a trainer are.
function OnExceptionCheckpoint:state_directory(trainer)
  return places.inside(trainer.root_dir, self.dirpath)
end

--- Only training has a state to go on from.
function OnExceptionCheckpoint:on_exception(trainer, err)
  if not trainer.train_dataloader or err.saved_state then return end
  local path = self:state_directory(trainer) .. "/" .. self.filename
  trainer:save_training_state(path, { go_on = true, now = true, after = function(saved)
    if saved then trainer:print("saved " .. path) end
  end })
end

function OnExceptionCheckpoint:on_training_run_end(trainer)
  local path = self:state_directory(trainer) .. "/" .. self.filename
  if directory.is_state(path) then saving.remove(trainer, path) end
end

return OnExceptionCheckpoint
