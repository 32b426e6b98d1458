--- A pass over a dataset that has only `get` (or `iterate`): samples are asked for one by one, with
-- `math.random` seeded from (seed, epoch, sample) before each, and collated. The tensors of a batch
-- are new ones and belong to the scope in which the batch was asked for.

local errors = require "perilune.errors"
local tensor = require "perilune.tensor"
local batch = require "perilune.data.batch"
local collate = require "perilune.data.collate"
local draws = require "perilune.data.draws"

local sample_pass = {}

-- What get or iterate gave: one table of named fields as it is, anything else as a list.
local function as_sample(value, ...)
  if select("#", ...) == 0 and type(value) == "table" and not tensor.is_tensor(value) then
    return value
  end
  return { value, ... }
end

-- What collate_fn gave, as a batch.
local function as_batch(value, ...)
  if value == nil then
    errors.raise("user", "collate_fn returned nothing; it returns a batch: values, or one table of "
      .. "named fields", { argument = "collate_fn" })
  end
  return batch.make(as_sample(value, ...))
end

local function make_batch(loader, samples)
  if loader.collate_fn then return as_batch(loader.collate_fn(samples)) end
  return batch.make(collate(samples))
end

local function nothing(i)
  errors.raise("user", ("the dataset's get(%d) returned nothing; it returns values, or one table "
    .. "of named fields"):format(i), { argument = "dataset" })
end

-- Position number `at` of the plan, from 1.
local function planned_position(plan, at, size)
  local i = tonumber(plan.positions[at]) + 1
  if i > size then
    errors.raise("argument", ("the sampler asks for sample %d; the dataset has 1 to %d"):format(i,
      size), { argument = "sampler" })
  end
  return i
end

--- The samples of a batch.
-- @param b the batch's number in the plan, from 0
-- @param size how many samples the dataset has
-- @return list of positions, from 1
function sample_pass.positions_of(plan, b, size)
  local list = {}
  local first = b > 0 and tonumber(plan.ends[b - 1]) or 0
  for at = first, tonumber(plan.ends[b]) - 1 do
    list[#list + 1] = planned_position(plan, at, size)
  end
  return list
end

--- Make one batch.
-- @param loader what has `dataset` and perhaps `collate_fn`
-- @param positions list of positions, from 1
function sample_pass.make(loader, positions, seed, epoch)
  local samples = {}
  for k, i in ipairs(positions) do
    draws.begin_sample(seed, epoch, i)
    local sample = as_sample(loader.dataset:get(i))
    if next(sample) == nil then nothing(i) end
    samples[k] = sample
  end
  draws.end_samples()
  return make_batch(loader, samples)
end

local function next_planned(pass)
  local plan, b = pass.plan, pass.taken
  if b >= plan.batches then return nil end
  local positions = sample_pass.positions_of(plan, b, pass.loader.dataset:size())
  local made = sample_pass.make(pass.loader, positions, pass.seed, pass.epoch)
  pass.taken = b + 1
  return made
end

-- One step of the dataset's iterator; nothing once it has ended.
local function take_sample(pass, value, ...)
  pass.control = value
  if value ~= nil then return as_sample(value, ...) end
end

-- The samples of the next batch; nil where no batch is left.
local function take_samples(pass)
  local loader, samples = pass.loader, {}
  while #samples < loader.batch_size and not pass.over do
    pass.taken = pass.taken + 1
    draws.begin_sample(pass.seed, pass.epoch, pass.taken)
    local sample = take_sample(pass, pass.step(pass.state, pass.control))
    pass.over = sample == nil
    samples[#samples + 1] = sample
  end
  draws.end_samples()
  if #samples == 0 or (loader.drop_last and #samples < loader.batch_size) then return nil end
  return samples
end

local function next_iterated(pass)
  local samples = take_samples(pass)
  return samples and make_batch(pass.loader, samples)
end

--- Take the samples of the next batch of an iterated pass and make no batch of them.
-- @return whether there was one
function sample_pass.skip(pass)
  return take_samples(pass) ~= nil
end

local Pass = {}
Pass.__index = Pass

--- Nothing runs behind this pass.
function Pass.close() end

--- Batches of samples that `dataset:get` gives.
-- @return what a `for` loop takes
function sample_pass.planned(loader, plan, seed, epoch)
  return next_planned, setmetatable({ loader = loader, plan = plan, seed = seed, epoch = epoch,
    taken = 0 }, Pass)
end

--- Batches of samples that `dataset:iterate` gives.
-- @return what a `for` loop takes
function sample_pass.iterated(loader, seed, epoch)
  local pass = setmetatable({ loader = loader, seed = seed, epoch = epoch, taken = 0 }, Pass)
  pass.step, pass.state, pass.control = loader.dataset:iterate(epoch)
  return next_iterated, pass
end

return sample_pass
