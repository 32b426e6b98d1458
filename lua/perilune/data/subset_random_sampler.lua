--- SubsetRandomSampler(indices): these samples, once each, in an order drawn from (seed, epoch).

local class = require "perilune.class"
local random = require "perilune.random"
local C = require "perilune.data.ffi"
local Sampler = require "perilune.data.sampler"
local positions = require "perilune.data.positions"

local SubsetRandomSampler = class("SubsetRandomSampler", Sampler)

SubsetRandomSampler.options = {
  { "indices", type = "table", required = true, doc = "list of positions, from 1" },
}

function SubsetRandomSampler:init(o)
  o = SubsetRandomSampler:check(o)
  self.positions, self.count = positions.from_list(o.indices, 2 ^ 53, "SubsetRandomSampler")
end

function SubsetRandomSampler:size()
  return self.count
end

function SubsetRandomSampler:fill(out, seed, epoch)
  C.pl_random_permutation(seed, random.streams.shuffle, epoch, self.count, out)
  for k = 0, self.count - 1 do out[k] = self.positions[out[k]] end
end

return SubsetRandomSampler
