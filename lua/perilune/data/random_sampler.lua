--- RandomSampler(dataset): every sample once, in an order drawn from (seed, epoch).

local class = require "perilune.class"
local random = require "perilune.random"
local C = require "perilune.data.ffi"
local Sampler = require "perilune.data.sampler"

local RandomSampler = class("RandomSampler", Sampler)

RandomSampler.options = {
  { "dataset", type = "table", required = true, doc = "whose samples to take" },
}

function RandomSampler:init(o)
  self.dataset = RandomSampler:check(o).dataset
end

function RandomSampler:size()
  return self.dataset:size()
end

function RandomSampler:fill(out, seed, epoch)
  C.pl_random_permutation(seed, random.streams.shuffle, epoch, self:size(), out)
end

return RandomSampler
