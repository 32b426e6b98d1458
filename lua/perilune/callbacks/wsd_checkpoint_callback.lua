--- Saves around each decay of a WSDLrScheduler: a training state before it, from which a longer run
-- may go on (`resume_from`), and the weights after it. These are checkpoint_<n>_wsd_pre_decay and
-- checkpoint_<n>_wsd_post_decay.safetensors, n being updates of the scheduler. A disk that refuses
-- is reported; the training goes on.

local class = require "perilune.class"
local errors = require "perilune.errors"
local places = require "perilune.state.places"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local WSDCheckpointCallback = class("WSDCheckpointCallback", TrainerCallback)

WSDCheckpointCallback.options = {
  { "save_dir", "checkpoints", doc = "where; in the trainer's root_dir if it has one" },
  { "save_optimizer", true, doc = "the optimizer's state beside the weights" },
  { "save_scheduler", true, doc = "the scheduler's state beside the weights" },
}

--- Where the states of a trainer are.
function WSDCheckpointCallback:state_directory(trainer)
  return places.inside(trainer.root_dir, self.save_dir)
end

function WSDCheckpointCallback:on_training_run_start(trainer)
  local scheduler = trainer.scheduler
  if not scheduler or not scheduler.get_decay_info then
    errors.raise("argument", "WSDCheckpointCallback: the run needs a scheduler with decays: "
      .. "create_scheduler_fn = pl.schedulers.WSDLrScheduler:create_scheduler_fn()",
      { argument = "create_scheduler_fn" })
  end
end

local function save_weights(self, trainer, path, step)
  trainer:save_checkpoint(path, { go_on = true,
    save_optimizer = self.save_optimizer, save_scheduler = self.save_scheduler,
    values = { step = step, update = trainer.update, checkpoint_type = "post_decay",
      total_steps = trainer.scheduler.total_steps },
  })
end

function WSDCheckpointCallback:on_optimizer_step_end(trainer)
  local scheduler = trainer.scheduler
  local step = scheduler:get_current_step()
  local path = ("%s/checkpoint_%d_wsd_"):format(self:state_directory(trainer), step)
  for _, period in ipairs(scheduler:get_decay_info()) do
    if step == period.period_end then
      save_weights(self, trainer, path .. "post_decay.safetensors", step)
    elseif step == period.pre_decay_step then
      trainer:save_training_state(path .. "pre_decay", { go_on = true })
    end
  end
end

return WSDCheckpointCallback
