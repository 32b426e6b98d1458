--- Numbers that are known when a run begins, as functions of its run config: they stand for values
-- in `create_scheduler_fn`. Any function will do:
-- `function(run) return 2 * run.num_update_steps_per_epoch end`.

local errors = require "perilune.errors"

local placeholders = {}

local function known(value, what)
  if value then return value end
  errors.raise("argument", ("the scheduler needs %s, which this run does not know (a loader without"
    .. " a size?); give the number itself"):format(what))
end

--- Optimizer updates of an epoch, the same on every rank.
function placeholders.num_update_steps_per_epoch(run)
  return known(run.num_update_steps_per_epoch, "the number of updates of an epoch")
end

--- Optimizer updates of the whole run.
function placeholders.total_updates(run)
  return known(run.max_updates, "the number of updates of the run")
end

--- Epochs of the whole run; a fraction where max_updates ends it within one.
function placeholders.num_epochs(run)
  local total, per_epoch = run.max_updates, run.num_update_steps_per_epoch
  return total and per_epoch and total / per_epoch or known(run.num_epochs, "the number of epochs")
end

return placeholders
