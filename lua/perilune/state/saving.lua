--- When a state is saved: between two updates, after every hook has run. What is asked for inside
-- of an update, an epoch's end or an evaluation waits for the next such edge. A loss that is not
-- finite vetoes it.

local errors = require "perilune.errors"
local engine = require "perilune.engine"
local ffi = require "ffi"
local random = require "perilune.random"
local directory = require "perilune.state.directory"
local training = require "perilune.state.training"
local C = engine.C

local saving = {}

local function complain(path, err)
  io.stderr:write(("perilune: the training state %s was not saved: %s\n"):format(path, err.message))
end

local function write(trainer, path, options)
  if not trainer.process_group:is_main() then return end
  directory.write(path, training.take(trainer, options))
end

-- Answers whether the state is on the disk.
local function save(trainer, path, options)
  local tracker = trainer.train_loss_tracker
  tracker:read()
  if tracker.non_finite then
    local sentence = ("a loss of this epoch is %s"):format(tostring(tracker.non_finite))
    complain(path, { message = sentence })
    return false
  end
  local ok, err = xpcall(write, errors.handler, trainer, path, options)
  if ok then return true end
  if not options.go_on or err.kind ~= "io" then error(err, 0) end
  complain(path, err)
  return false
end

local function save_and_tell(trainer, path, options)
  local done = save(trainer, path, options)
  if options.after then options.after(done) end
end

local function in_training(trainer)
  return trainer.state == "running" and trainer.train_dataloader ~= nil
end

--- Save, now or at the next edge.
function saving.request(trainer, path, options)
  if in_training(trainer) and not options.now then
    local wanted = trainer.wanted_states
    wanted[#wanted + 1] = { path, options }
  else
    save_and_tell(trainer, path, options)
  end
end

--- An edge: the updates that were begun are over, and so are their hooks.
-- @param step how many batches of the epoch have been taken, 0 between epochs; nil: as before
function saving.edge(trainer, step)
  trainer.edge_update = trainer.update
  if step then trainer.epoch_step = step end
  if not trainer.wanted_states[1] then return end
  local wanted = trainer.wanted_states
  trainer.wanted_states = {}
  for _, one in ipairs(wanted) do save_and_tell(trainer, one[1], one[2]) end
end

-- Where a run that is told to end leaves its state: with a root_dir or a callback that saves.
local function directory_of(trainer)
  if trainer.root_dir then return trainer.root_dir end
  for _, callback in ipairs(trainer.callback_handler.callbacks) do
    if callback.state_directory then return callback:state_directory(trainer) end
  end
end

--- What a signal leaves behind.
-- @return a sentence about it
function saving.interrupted(trainer)
  local where = directory_of(trainer)
  if not where then return "no state was saved (the trainer has no root_dir)" end
  local path = where .. "/interrupted"
  if not save(trainer, path, { go_on = true }) then return "no state was saved" end
  return ('the state was saved in %s (resume_from = "auto" goes on)'):format(path)
end

local words = ffi.new "uint32_t[2]"

--- Seed `math.random` where no update does, so that a run that goes on there draws the same.
-- @param place of the epoch: 0 its beginning, 1 before its batches are chosen, 2 before its end
function saving.seed_epoch(trainer, place)
  local counter = 2 ^ 52 + trainer.run_history.current_epoch * 4 + place
  C.pl_random_fill(trainer.seed, random.streams.worker, counter, 2, words)
  math.randomseed(words[0] * 2 ^ 21 + words[1] % 2 ^ 21)
end

return saving
