--- Finds the largest batch size of training that fits into memory, before a run begins: some
-- updates with growing batches are tried and taken back, until one runs out of memory. The run goes
-- on with the size that was found.

local class = require "perilune.class"
local errors = require "perilune.errors"
local prepare = require "perilune.trainer.prepare"
local trial = require "perilune.trainer.trial"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local BatchSizeFinder = class("BatchSizeFinder", TrainerCallback)

BatchSizeFinder.options = {
  { "mode", "power", choices = { "power", "binsearch" },
    doc = "power: doubles until memory is short; binsearch: then looks between the last two" },
  { "steps_per_trial", 3, type = "integer", min = 1, doc = "updates that a size must survive" },
  { "init_val", 2, type = "integer", min = 1, doc = "the first size" },
  { "max_val", type = "integer", min = 1, doc = "the largest size that is tried" },
  { "max_trials", 25, type = "integer", min = 1, doc = "how many sizes are tried" },
}

--- Before a learning rate is looked for, and before others see the run config.
BatchSizeFinder.priority = 100

function BatchSizeFinder:init(o)
  o = BatchSizeFinder:check(o)
  if o.max_val and o.max_val < o.init_val then
    errors.raise("argument", ("BatchSizeFinder: max_val is %d, below init_val, %d")
      :format(o.max_val, o.init_val), { argument = "max_val" })
  end
  for name, value in next, o do self[name] = value end
end

-- Answers whether some updates of this size fit; nil when enough was tried.
local function fits(self, trainer, size)
  local trials = self.trials
  if #trials >= self.max_trials then return nil end
  prepare.change_batch_size(trainer, size)
  local ok, err = xpcall(trainer.trial, errors.handler, trainer, { updates = self.steps_per_trial })
  if not ok and err.kind ~= "out_of_memory" then error(err, 0) end
  trials[#trials + 1] = { batch_size = size, fits = ok }
  if not ok then self.problem = err end
  return ok
end

-- Doubled from init_val: the largest size that fits, and the smallest that does not.
local function double(self, trainer, largest)
  local good, bad, size = nil, nil, math.min(self.init_val, largest)
  while not bad and size > (good or 0) do
    local ok = fits(self, trainer, size)
    if ok == nil then break end
    if ok then good = size else bad = size end
    size = math.min(2 * size, largest)
  end
  return good, bad
end

-- Where even the first size is too large, halved until one fits.
local function halve(self, trainer, bad)
  while bad > 1 do
    local size = math.floor(bad / 2)
    local ok = fits(self, trainer, size)
    if ok == nil then break end
    if ok then return size, bad end
    bad = size
  end
  error(self.problem, 0)
end

local function narrow_down(self, trainer, good, bad)
  while bad - good > 1 do
    local middle = math.floor((good + bad) / 2)
    local ok = fits(self, trainer, middle)
    if ok == nil then break end
    if ok then good = middle else bad = middle end
  end
  return good
end

local function search(self, trainer)
  local dataset = trainer.train_dataset
  local samples = dataset.size and dataset:size() or math.huge
  local largest = math.min(self.max_val or math.huge, math.max(samples, 1))
  if largest == math.huge then largest = 2 ^ 31 end
  local good, bad = double(self, trainer, largest)
  if not good then good, bad = halve(self, trainer, bad) end
  if bad and self.mode == "binsearch" then good = narrow_down(self, trainer, good, bad) end
  return good
end

local function check_loader(trainer)
  local kwargs = trainer.train_options.train_dataloader_kwargs
  if kwargs and kwargs.batch_sampler then
    errors.raise("argument", "BatchSizeFinder: a batch_sampler decides on the batch size; leave "
      .. "one of the two out", { argument = "train_dataloader_kwargs" })
  end
end

--- A run that goes on from a state keeps the batch size it is given.
function BatchSizeFinder:on_training_run_start(trainer)
  if trainer.resuming then return end
  check_loader(trainer)
  self.trials, self.problem = {}, nil
  local size = search(self, trainer)
  prepare.change_batch_size(trainer, size)
  self.batch_size = size
  trainer:print(("batch size %d (%d sizes tried)"):format(size, #self.trials))
end

--- Search before a run; the trainer is as before.
-- @param trainer a Trainer that is not in a run
-- @param options those of trainer:train: train_dataset, ...
-- @return the batch size, for per_device_batch_size
-- @raise kind "out_of_memory" where not even one sample fits
function BatchSizeFinder:find(trainer, options)
  trial.start_only(trainer, self, options)
  return self.batch_size
end

return BatchSizeFinder
