--- DataLoader: batches of a dataset, `for batch in loader:batches() do`. Where the dataset has a
-- source and nobody asks for a collate function, C makes them; else `get` is asked in Lua. The
-- order depends on (seed, epoch) alone.

local check = require "perilune.check"
local class = require "perilune.class"
local errors = require "perilune.errors"
local random = require "perilune.random"
local ProcessGroup = require "perilune.process_group"
local BatchSampler = require "perilune.data.batch_sampler"
local RandomSampler = require "perilune.data.random_sampler"
local SequentialSampler = require "perilune.data.sequential_sampler"
local Source = require "perilune.data.source"
local positions = require "perilune.data.positions"
local sample_pass = require "perilune.data.sample_pass"
local source_pass = require "perilune.data.source_pass"
local transformed_pass = require "perilune.data.transformed_pass"

local DataLoader = class("DataLoader")

DataLoader.options = {
  { "dataset", type = "table", required = true, doc = "what to make batches of" },
  { "batch_size", 1, type = "integer", min = 1, doc = "samples of a batch" },
  { "shuffle", false, doc = "another order each epoch" },
  { "sampler", type = "table", doc = "the order of the samples; excludes shuffle" },
  { "batch_sampler", type = "table", doc = "which samples go together; excludes all of the above" },
  { "drop_last", false, doc = "leave out a last batch that is not full" },
  { "collate_fn", type = "callable", doc = "makes a batch of a list of samples" },
  { "batch_transform", type = "callable", doc = "changes each batch: mixup, or your own" },
  { "seed", type = "integer", doc = "of order and transforms; pl.manual_seed's if not given" },
  { "num_workers", 0, type = "integer", min = 0,
    doc = "threads that ask get and collate; without effect where C makes the batches" },
  { "prefetch", type = "boolean",
    doc = "fill batches ahead in a thread; if not given, when one takes over 50 us" },
  { "process_group", type = ProcessGroup,
    doc = "whose ranks share the batches: each takes every n-th" },
  { "even_batches", true, doc = "ranks get as many batches each, the first ones again if need be" },
  { "device", "cpu", doc = "where the batches are; datasets without a source ignore it" },
}

local function refuse(message)
  errors.raise("argument", "DataLoader: " .. message)
end

local function check_dataset(dataset)
  if dataset.iterate then return end
  if not (dataset.size and dataset.get) then
    refuse("a dataset has size() and get(i), or iterate()")
  end
  local size = dataset:size()
  if type(size) ~= "number" or size % 1 ~= 0 or size < 0 then
    refuse(("the dataset's size() must be an integer >= 0, got %s"):format(check.describe(size)))
  end
end

local function check_sampler(sampler)
  if sampler and not (sampler.size and (sampler.fill or sampler.iterate)) then
    refuse("a sampler has size() and iterate(epoch); for a list of positions there are Subset and "
      .. "SubsetRandomSampler")
  end
end

local function check_combination(o)
  if o.sampler and o.shuffle then refuse("give a sampler or shuffle = true, not both") end
  if o.batch_sampler and (o.sampler or o.shuffle or o.drop_last) then
    refuse("a batch_sampler decides on sampler, shuffle and drop_last itself")
  end
  if o.dataset.iterate and (o.sampler or o.batch_sampler or o.shuffle) then
    refuse("a dataset with iterate() gives its own order: no sampler, batch_sampler or shuffle")
  end
end

local function check_ranks(o)
  local group = o.process_group
  if group and group.size > 1 and o.dataset.iterate then
    refuse("a dataset with iterate() cannot be shared between the ranks of a process group")
  end
end

local function make_batch_sampler(o)
  if o.batch_sampler then return o.batch_sampler end
  local sampler = o.sampler or (o.shuffle and RandomSampler or SequentialSampler)(o.dataset)
  return BatchSampler{ sampler = sampler, batch_size = o.batch_size or 1, drop_last = o.drop_last }
end

function DataLoader:init(o)
  o = DataLoader:check(o)
  check_dataset(o.dataset)
  check_sampler(o.sampler)
  check_combination(o)
  check_ranks(o)
  self.process_group, self.even_batches = o.process_group or ProcessGroup(), o.even_batches
  self.dataset, self.batch_size, self.drop_last = o.dataset, o.batch_size or 1, o.drop_last
  self.collate_fn, self.seed, self.prefetch = o.collate_fn or nil, o.seed or nil, o.prefetch
  self.device, self.batch_transform = o.device or "cpu", o.batch_transform or nil
  self.num_workers = o.num_workers or 0
  if not o.dataset.iterate then self.batch_sampler = make_batch_sampler(o) end
  self.next_epoch, self.idle_buffers = 1, {}
end

--- How many batches a pass has, of a process group's ranks the one with the most; nil where the
-- dataset only iterates.
function DataLoader:size()
  return self.batch_sampler and math.ceil(self.batch_sampler:size() / self.process_group.size)
end

--- Choose the epoch of the next pass, from 1; without this each pass is the next epoch.
function DataLoader:set_epoch(epoch)
  self.next_epoch = epoch
end

-- The source is asked for anew each pass: a dataset may have replaced its tensors. An equal one is
-- kept, because the buffers of earlier passes belong to it.
local function source_of(self)
  if self.collate_fn then return nil end
  return Source.of(self.dataset)
end

local function start_pass(self, plan, seed, epoch)
  local workers = self.num_workers > 0 and (not plan or plan.batches > 0)
  if not plan and not workers then return sample_pass.iterated(self, seed, epoch) end
  local source = plan and source_of(self)
  if source and source:size() == self.dataset:size() then
    return source_pass(self, source, plan, seed, epoch)
  end
  if workers then
    return require("perilune.data.worker_pass")(self, plan, seed, epoch)
  end
  return sample_pass.planned(self, plan, seed, epoch)
end

local function no_batch() return nil end

-- A pass over an iterable dataset is made again: what was taken is asked for and dropped.
local function drop(step, pass, count)
  for _ = 1, count do
    if step(pass) == nil then break end
  end
end

--- Start a pass.
-- @return what a `for` loop takes; the second value has `close()`, which ends the pass early
function DataLoader:batches()
  return self:batches_after(0)
end

--- Start a pass behind its first batches, as if they had been taken.
-- @param skip how many
-- @return as `batches`
function DataLoader:batches_after(skip)
  local group, epoch = self.process_group, self.next_epoch
  local seed = self.seed or group:broadcast(random.initial_seed())
  self.next_epoch = epoch + 1
  local plan = self.batch_sampler and self.batch_sampler:plan(seed, epoch, self.dataset:size())
  if plan and group.size > 1 then
    plan = positions.share(plan, group.rank, group.size, self.even_batches)
  end
  if plan and skip > 0 then
    if skip >= plan.batches then return no_batch end
    plan = positions.rest(plan, skip)
  end
  local step, pass = start_pass(self, plan, seed, epoch)
  if self.batch_transform then
    step, pass = transformed_pass(self, plan, seed, epoch, step, pass)
  end
  if not plan then drop(step, pass, skip) end
  return step, pass
end

--- What the next passes depend on.
function DataLoader:state_dict()
  return { next_epoch = self.next_epoch }
end

function DataLoader:load_state_dict(state)
  self.next_epoch = state.next_epoch
end

return DataLoader
