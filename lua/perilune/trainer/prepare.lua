--- What a run needs before its first phase: datasets, loaders, run config, scheduler. Nothing of
-- an earlier run is left over. The device is made ready before all of it, and modules move to it
-- after.

local errors = require "perilune.errors"
local Interval = require "perilune.interval"
local limits = require "perilune.trainer.limits"
local resume = require "perilune.state.resume"
local run_config = require "perilune.run_config"
local TrainerPhases = require "perilune.trainer.phases"

local prepare = {}

local function start_afresh(self, o)
  self.strategy:setup_environment()
  self.train_dataset, self.eval_dataset, self.predict_dataset = nil, nil, nil
  self.train_dataloader, self.eval_dataloader, self.predict_dataloader = nil, nil, nil
  self.log_interval, self.eval_interval = nil, nil
  self.eval_sets, self.train_options = nil, nil
  self.scheduler, self.create_scheduler_fn = nil, o.create_scheduler_fn or nil
  self.collate_fn = o.collate_fn or nil
end

-- { { "clean", a }, { "noisy", b } } rather than a dataset.
local function is_list_of_sets(value)
  local first = getmetatable(value) == nil and value[1]
  return type(first) == "table" and getmetatable(first) == nil and type(first[1]) == "string"
end

-- A plain table that gives no samples can only be meant as a list of sets.
local function is_meant_as_list(value)
  return getmetatable(value) == nil and not (value.get or value.iterate)
end

local function check_set(entry, name)
  if type(entry) ~= "table" or type(entry[1]) ~= "string" or type(entry[2]) ~= "table" then
    errors.raise("argument", ("%s: several evaluation sets are a list of a name and a dataset each,"
      .. " { { \"clean\", a }, { \"noisy\", b } }"):format(name), { argument = name })
  end
end

-- Datasets and loaders of an evaluation, in order; the first are the trainer's own fields, and a
-- sole one has no name.
local function make_eval_sets(self, given, batch_size, kwargs, limit, option)
  local sets = {}
  local is_list = is_list_of_sets(given) or is_meant_as_list(given)
  local entries = is_list and given or { { false, given } }
  if is_list and not entries[1] then check_set(false, option) end
  for i, entry in ipairs(entries) do
    if is_list then check_set(entry, option) end
    self.eval_dataset = entry[2]
    local loader = self:create_eval_dataloader(batch_size, kwargs)
    loader = limits.sliced(loader, limit, "limit_eval_batches")
    sets[i] = { name = entry[1] or nil, dataset = entry[2], dataloader = loader }
  end
  self.eval_sets = sets
  self.eval_dataset, self.eval_dataloader = sets[1].dataset, sets[1].dataloader
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
  local epochs = o.dry_run and 1 or o.num_epochs
  local all = epochs and per_epoch and epochs * per_epoch
  if o.max_updates and all then return math.min(o.max_updates, all) end
  return o.max_updates or all
end

local function make_run_config(self, o, train_kwargs, eval_kwargs)
  local world, accumulation = self.process_group, o.gradient_accumulation_steps or 1
  local per_epoch = updates_per_epoch(self.train_dataloader, accumulation)
  local train_size = batch_size_of(self.train_dataloader, train_kwargs, o.per_device_batch_size)
  local eval_loader = self.eval_dataloader or self.predict_dataloader
  local eval_size = batch_size_of(eval_loader, eval_kwargs, o.per_device_batch_size)
  return run_config{
    num_epochs = o.dry_run and 1 or o.num_epochs, dry_run = o.dry_run or nil,
    max_updates = total_updates(o, per_epoch),
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
    mixed_precision = self.strategy.precision.mixed_precision, seed = self.seed,
  }
end

local function check_training(self, o)
  if not (o.num_epochs or o.max_updates or o.max_time or o.dry_run) then
    errors.raise("argument", "Trainer:train: give num_epochs, max_updates or both, or max_time",
      { argument = "num_epochs" })
  end
  if not self.optimizer and self.optimizer_step == TrainerPhases.optimizer_step then
    errors.raise("argument", "Trainer:train: this trainer has no optimizer; give one, or override "
      .. "optimizer_step", { argument = "optimizer" })
  end
end

-- The user's options of the loaders, and the limits, with overfit_batches and dry_run laid over.
local function loader_options(o)
  local train_kwargs, eval_kwargs = o.train_dataloader_kwargs or {}, o.eval_dataloader_kwargs or {}
  local train_limit, eval_limit = o.limit_train_batches, o.limit_eval_batches
  local few = o.dry_run or o.overfit_batches
  if few then train_limit, eval_limit = { batches = few }, { batches = few } end
  if o.overfit_batches then
    local ordered = {}
    for name, value in next, train_kwargs do ordered[name] = value end
    ordered.shuffle = false
    train_kwargs = ordered
  end
  return train_kwargs, eval_kwargs, train_limit, eval_limit
end

local function make_train_loader(self, o)
  local kwargs, _, limit = loader_options(o)
  local loader = self:create_train_dataloader(o.per_device_batch_size, kwargs)
  self.train_dataloader = limits.sliced(loader, limit, "limit_train_batches")
end

-- What depends on how many batches the loaders have.
local function measure_run(self, o)
  local train_kwargs, eval_kwargs = loader_options(o)
  self.run_config = make_run_config(self, o, train_kwargs, eval_kwargs)
  self.scheduler = self:create_scheduler()
end

--- Go on with another batch size of training in a run that has not begun its first epoch.
function prepare.change_batch_size(self, batch_size)
  local o, kwargs = {}, {}
  for name, value in next, self.train_options do o[name] = value end
  for name, value in next, o.train_dataloader_kwargs or {} do kwargs[name] = value end
  kwargs.batch_size = nil
  o.per_device_batch_size, o.train_dataloader_kwargs = batch_size, kwargs
  make_train_loader(self, o)
  measure_run(self, o)
end

--- Before a training run.
function prepare.training(self, o)
  check_training(self, o)
  start_afresh(self, o)
  if o.reset_run_history then
    self.run_history:reset()
    self.update = 0
  end
  self.train_options, self.train_dataset = o, o.train_dataset
  make_train_loader(self, o)
  if o.eval_dataset then
    local _, eval_kwargs, _, eval_limit = loader_options(o)
    make_eval_sets(self, o.eval_dataset, o.per_device_batch_size, eval_kwargs, eval_limit,
      "eval_dataset")
  end
  self.gradient_accumulation_steps = o.gradient_accumulation_steps
  self.weigh_items = o.loss_weighting == "items"
  measure_run(self, o)
  self.log_interval = o.log_every and Interval(o.log_every, "Trainer:train: log_every") or nil
  self.eval_interval = o.eval_dataset and o.eval_every
    and Interval(o.eval_every, "Trainer:train: eval_every") or nil
  self.log_due, self.logged = false, {}
  resume.begin(self, o)
  limits.start(self, o)
  self.strategy:setup(self)
end

--- Before an evaluation run. The run history keeps what it has.
function prepare.evaluation(self, o)
  start_afresh(self, o)
  local kwargs = o.dataloader_kwargs or {}
  make_eval_sets(self, o.dataset, o.per_device_batch_size, kwargs, o.limit_batches, "dataset")
  self.run_config = make_run_config(self, o, {}, kwargs)
  self.strategy:setup(self)
end

--- Before a prediction run.
function prepare.prediction(self, o)
  start_afresh(self, o)
  local kwargs = o.dataloader_kwargs or {}
  self.predict_dataset = o.dataset
  self.predict_dataloader = limits.sliced(
    self:create_predict_dataloader(o.per_device_batch_size, kwargs), o.limit_batches,
    "limit_batches")
  self.run_config = make_run_config(self, o, {}, kwargs)
  self.strategy:setup(self)
end

return prepare
