--- What a run needs before its first phase: datasets, loaders, run config, scheduler. Nothing of
-- an earlier run is left over.

local errors = require "perilune.errors"
local resume = require "perilune.state.resume"
local run_config = require "perilune.run_config"
local TrainerPhases = require "perilune.trainer.phases"

local prepare = {}

local function start_afresh(self, o)
  self.train_dataset, self.eval_dataset = nil, nil
  self.train_dataloader, self.eval_dataloader = nil, nil
  self.scheduler, self.create_scheduler_fn = nil, o.create_scheduler_fn or nil
  self.collate_fn = o.collate_fn or nil
end

local function batch_size_of(loader, kwargs, given)
  return loader and (kwargs.batch_size or given) or nil
end

local function updates_per_epoch(loader, accumulation)
  local batches = loader and loader.size and loader:size()
  return batches and math.ceil(batches / accumulation)
end

-- How many updates the run will make, where that is known.
local function total_updates(o, per_epoch)
  local all = o.num_epochs and per_epoch and o.num_epochs * per_epoch
  if o.max_updates and all then return math.min(o.max_updates, all) end
  return o.max_updates or all
end

local function make_run_config(self, o, train_kwargs, eval_kwargs)
  local world, accumulation = self.process_group, o.gradient_accumulation_steps or 1
  local per_epoch = updates_per_epoch(self.train_dataloader, accumulation)
  local train_size = batch_size_of(self.train_dataloader, train_kwargs, o.per_device_batch_size)
  local eval_size = batch_size_of(self.eval_dataloader, eval_kwargs, o.per_device_batch_size)
  return run_config{
    num_epochs = o.num_epochs, max_updates = total_updates(o, per_epoch),
    train_per_device_batch_size = train_size, train_dl_kwargs = train_kwargs,
    train_total_batch_size = train_size and train_size * world.size * accumulation,
    eval_per_device_batch_size = eval_size, eval_dl_kwargs = eval_kwargs,
    eval_total_batch_size = eval_size and eval_size * world.size,
    gradient_accumulation_steps = accumulation,
    gradient_clip_value = o.gradient_clip_value or nil,
    gradient_clip_norm = o.gradient_clip_norm or nil,
    num_update_steps_per_epoch = per_epoch, num_local_update_steps_per_epoch = per_epoch,
    is_local_process_zero = world.local_rank == 0, is_world_process_zero = world:is_main(),
    is_distributed = world.size > 1, num_processes = world.size,
    mixed_precision = "no", seed = self.seed,
  }
end

local function check_training(self, o)
  if not o.num_epochs and not o.max_updates then
    errors.raise("argument", "Trainer:train: give num_epochs, max_updates or both",
      { argument = "num_epochs" })
  end
  if not self.optimizer and self.optimizer_step == TrainerPhases.optimizer_step then
    errors.raise("argument", "Trainer:train: this trainer has no optimizer; give one, or override "
      .. "optimizer_step", { argument = "optimizer" })
  end
end

--- Before a training run.
function prepare.training(self, o)
  check_training(self, o)
  start_afresh(self, o)
  if o.reset_run_history then
    self.run_history:reset()
    self.update = 0
  end
  local train_kwargs, eval_kwargs = o.train_dataloader_kwargs or {}, o.eval_dataloader_kwargs or {}
  self.train_dataset = o.train_dataset
  self.train_dataloader = self:create_train_dataloader(o.per_device_batch_size, train_kwargs)
  if o.eval_dataset then
    self.eval_dataset = o.eval_dataset
    self.eval_dataloader = self:create_eval_dataloader(o.per_device_batch_size, eval_kwargs)
  end
  self.run_config = make_run_config(self, o, train_kwargs, eval_kwargs)
  self.last_update = self.update + (o.max_updates or math.huge)
  self.scheduler = self:create_scheduler()
  resume.begin(self, o)
end

--- Before an evaluation run. The run history keeps what it has.
function prepare.evaluation(self, o)
  start_afresh(self, o)
  local kwargs = o.dataloader_kwargs or {}
  self.eval_dataset = o.dataset
  self.eval_dataloader = self:create_eval_dataloader(o.per_device_batch_size, kwargs)
  self.run_config = make_run_config(self, o, {}, kwargs)
end

return prepare
