--- What a Trainer does with files: checkpoints (weights to export) and training states (everything
-- that a run needs to go on bit by bit).

local check = require "perilune.check"
local class = require "perilune.class"
local errors = require "perilune.errors"

local TrainerState = class("TrainerState")

local function load(name)
  return require("perilune.state." .. name)
end

-- Of both kinds of saving.
local go_on = { "go_on", false, doc = "a disk that refuses is reported and does not end the run" }
local after = { "after", type = "callable",
  doc = "after(saved): called when it is on the disk, or failed" }

local save_options = {
  { "path", type = "string", required = true, doc = "the file" },
  { "save_optimizer", false, doc = "the optimizer's state as well" },
  { "save_scheduler", false, doc = "the scheduler's state as well" },
  { "values", type = "table", doc = "numbers, strings and tables to keep with it" },
  go_on, after,
}

--- Write the model's weights, as they are now, to one safetensors file, under PyTorch's names. In a
-- run only the copy of them takes time: the file is complete some time after, and at the latest at
-- the end of the run or of `wait_for_saves()`.
-- @param path the file
-- @param options { save_optimizer = false, save_scheduler = false, values = { ... },
--   go_on = false, after = }
-- @raise kind "io" when it cannot be written, in a run at one of its next updates; an older file is
--   then as it was
function TrainerState:save_checkpoint(...)
  local o = check.call(save_options, "save_checkpoint", ...)
  load("saving").checkpoint(self, o.path, o)
end

--- Wait until everything that this trainer was told to save is on the disk. Only what was asked for
-- with `save_training_state` inside of an update is not begun before the update is over.
-- @raise what kept something from being saved
function TrainerState:wait_for_saves()
  load("saving").poll(self, true)
end

local load_options = {
  { "path", type = "string", required = true, doc = "the file" },
  { "load_optimizer", true, doc = "the optimizer's state, where the file has it" },
  { "load_scheduler", true, doc = "the scheduler's state, where the file has it" },
  { "strict", true, doc = "raise when names are missing or left over" },
}

--- Load what save_checkpoint wrote, or another safetensors file with the model's weights.
-- @param path the file
-- @param options { load_optimizer = true, load_scheduler = true, strict = true }
-- @return the `values` it was saved with
function TrainerState:load_checkpoint(...)
  local o = check.call(load_options, "load_checkpoint", ...)
  self:wait_for_saves()
  return load("checkpoint").load(self, o.path, o)
end

local state_options = {
  { "path", type = "string", required = true, doc = "the directory" },
  { "best", type = "table", doc = "{ metric =, value =, greater_is_better = }: one of the best" },
  { "now", false, doc = "do not wait for the end of the update" },
  go_on, after,
}

--- Write everything that the run needs to go on as if it had never ended, to a directory that is
-- there whole or not at all. In a training run it is taken when the update is over, with all its
-- hooks, and written as `save_checkpoint` does.
-- @param path the directory
-- @param options { best =, go_on = false, now = false, after = }
-- @raise kind "io" when it cannot be written, in a run at one of its next updates; an older state
--   is then as it was
function TrainerState:save_training_state(...)
  local o = check.call(state_options, "save_training_state", ...)
  load("saving").request(self, o.path, o)
end

--- Lay a training state over this trainer, outside of a run; `resume_from` of train does it in one.
-- @param path the state, or a directory of states, of which the newest counts
-- @return a list of what was missing, left over or different
-- @raise kind "io", "format" or "argument"
function TrainerState:load_training_state(path)
  check.value("load_training_state", "path", path, { type = "string" })
  if self.state == "running" or self.state == "paused" then
    errors.raise("user", "load_training_state: this trainer is in the middle of a run")
  end
  return load("resume").load(self, path)
end

--- Make an object's state a part of every training state.
-- @param name what it is called there
-- @param object with state_dict() and load_state_dict(state)
-- @return the object
function TrainerState:register_state(name, object)
  check.value("register_state", "name", name, { type = "string" })
  if type(object) ~= "table" or type(object.state_dict) ~= "function"
    or type(object.load_state_dict) ~= "function" then
    errors.raise("argument", ("register_state: '%s' needs state_dict and load_state_dict")
      :format(name), { argument = "object" })
  end
  self.registered_state = self.registered_state or {}
  local there = self.registered_state[name]
  if there and there ~= object then
    errors.raise("argument", ("register_state: '%s' is taken"):format(name), { argument = "name" })
  end
  self.registered_state[name] = object
  return object
end

return TrainerState
