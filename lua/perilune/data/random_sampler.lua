--- RandomSampler(dataset): every sample once, in an order drawn from (seed, epoch); with
-- `replacement`, samples drawn one by one.

local class = require "perilune.class"
local errors = require "perilune.errors"
local random = require "perilune.random"
local C = require "perilune.data.ffi"
local Sampler = require "perilune.data.sampler"
local positions = require "perilune.data.positions"
local uniform = require "perilune.data.uniform"

local RandomSampler = class("RandomSampler", Sampler)

RandomSampler.options = {
  { "dataset", type = "table", required = true, doc = "whose samples to take" },
  { "replacement", false, doc = "draw each sample anew: some come twice, some not at all" },
  { "num_samples", type = "integer", min = 1,
    doc = "of a pass; the dataset's size if not given. More of them begin another round" },
}

function RandomSampler:init(o)
  o = RandomSampler:check(o)
  self.dataset, self.replacement, self.num_samples = o.dataset, o.replacement, o.num_samples
end

function RandomSampler:size()
  return self.num_samples or self.dataset:size()
end

local function draw(out, n, limit, seed, epoch)
  local next_number = uniform(seed, epoch)
  for k = 0, n - 1 do out[k] = math.floor(next_number() * limit) end
end

-- Whole rounds, the last one cut off.
local function permute(out, n, limit, seed, epoch)
  local order, first, round = positions.new(limit), 0, 0
  while first < n do
    C.pl_random_permutation(seed, random.streams.shuffle, epoch + round * 2 ^ 32, limit, order)
    for k = 0, math.min(limit, n - first) - 1 do out[first + k] = order[k] end
    first, round = first + limit, round + 1
  end
end

function RandomSampler:fill(out, seed, epoch)
  local n, limit = self:size(), self.dataset:size()
  if limit == 0 and n > 0 then
    errors.raise("argument", "RandomSampler: the dataset has no samples", { argument = "dataset" })
  elseif self.replacement then
    draw(out, n, limit, seed, epoch)
  elseif n == limit then
    C.pl_random_permutation(seed, random.streams.shuffle, epoch, n, out)
  else
    permute(out, n, limit, seed, epoch)
  end
end

return RandomSampler
