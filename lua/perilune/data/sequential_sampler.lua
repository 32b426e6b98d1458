--- SequentialSampler(dataset): 1, 2, 3, ...

local class = require "perilune.class"
local Sampler = require "perilune.data.sampler"

local SequentialSampler = class("SequentialSampler", Sampler)

SequentialSampler.options = {
  { "dataset", type = "table", required = true, doc = "whose samples to take" },
}

function SequentialSampler:init(o)
  self.dataset = SequentialSampler:check(o).dataset
end

function SequentialSampler:size()
  return self.dataset:size()
end

function SequentialSampler:fill(out)
  for i = 0, self:size() - 1 do out[i] = i end
end

return SequentialSampler
