--- When a trainer saves, and who hears how it ended. A state is taken between two updates, after
-- every hook has run: what is asked for inside of an update, an epoch's end or an evaluation waits
-- for the next such edge. A loss that is not finite vetoes it. In a run the disk is written in the
-- background; the run's edges ask how it went, and its end waits.

local errors = require "perilune.errors"
local engine = require "perilune.engine"
local ffi = require "ffi"
local random = require "perilune.random"
local Saver = require "perilune.state.saver"
local checkpoint = require "perilune.state.checkpoint"
local directory = require "perilune.state.directory"
local training = require "perilune.state.training"
local C = engine.C

local saving = {}

local function complain(what, path, message)
  io.stderr:write(("perilune: the %s %s was not saved: %s\n"):format(what, path, message))
end

-- ---- the disk ----

local function saver_of(trainer)
  trainer.saver = trainer.saver or Saver()
  return trainer.saver
end

-- How a save went, for the one who wanted it.
local function answer(what, path, options, err)
  if err and not (options.go_on and err.kind == "io") then
    if options.after then options.after(false) end
    error(err, 0)
  end
  if err then complain(what, path, err.message) end
  if options.after then options.after(err == nil) end
end

--- Tell those who saved how it went.
-- @param wait until all is on the disk
-- @raise what kept something from being saved, unless it was saved with go_on
function saving.poll(trainer, wait)
  if trainer.saver then trainer.saver:poll(wait) end
end

--- Wait until all is on the disk, and give back the memory that saving takes.
-- @raise the first error of those that poll would raise
function saving.finish(trainer)
  local saver, first = trainer.saver, nil
  if not saver then return end
  while saver:is_busy() do
    local ok, err = xpcall(saver.poll, errors.handler, saver, true)
    first = first or not ok and err
  end
  trainer.saver = nil
  saver:close()
  if first then error(first, 0) end
end

-- `write(saver, when_over)` hands it over. Outside of a run it is on the disk at the end of this.
local function save(trainer, what, path, options, write)
  local function when_over(err) answer(what, path, options, err) end
  if not trainer.process_group:is_main() then return when_over(nil) end
  local ok, err = xpcall(write, errors.handler, saver_of(trainer), when_over)
  if trainer.state ~= "running" then saving.finish(trainer) end
  if not ok then when_over(err) end
end

--- Take a state away, or a file, when what was to be saved before is on the disk.
function saving.remove(trainer, path)
  if trainer.process_group:is_main() then directory.remove(path, saver_of(trainer)) end
end

--- Save weights to export, as they are now.
function saving.checkpoint(trainer, path, options)
  save(trainer, "checkpoint", path, options, function(saver, when_over)
    checkpoint.write(trainer, path, options, saver, when_over)
  end)
end

-- ---- states ----

local function save_state(trainer, path, options)
  local tracker = trainer.train_loss_tracker
  tracker:read()
  if trainer.process_group:any(tracker.non_finite ~= nil) then
    complain("training state", path, ("a loss of this epoch is %s"):format(
      tostring(tracker.non_finite)))
    if options.after then options.after(false) end
    return
  end
  save(trainer, "training state", path, options, function(saver, when_over)
    local weights, state = training.take(trainer, options)
    directory.write(path, weights, state, saver, when_over)
  end)
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
    save_state(trainer, path, options)
  end
end

--- An edge: the updates that were begun are over, and so are their hooks.
-- @param step how many batches of the epoch have been taken, 0 between epochs; nil: as before
function saving.edge(trainer, step)
  trainer.edge_update = trainer.update
  if step then trainer.epoch_step = step end
  saving.poll(trainer)
  if not trainer.wanted_states[1] then return end
  local wanted = trainer.wanted_states
  trainer.wanted_states = {}
  for _, one in ipairs(wanted) do save_state(trainer, one[1], one[2]) end
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
-- @return the path of the state, if one was saved
function saving.interrupted(trainer)
  local where = directory_of(trainer)
  if not where then return "no state was saved (the trainer has no root_dir)" end
  local path, done = where .. "/interrupted", false
  save_state(trainer, path, { go_on = true, after = function(saved) done = saved end })
  saving.finish(trainer)
  if not done then return "no state was saved" end
  return ('the state was saved in %s (resume_from = "auto" goes on)'):format(path), path
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
