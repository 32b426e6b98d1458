--- ConcatDataset({ a, b, ... }): one dataset after the other.

local class = require "perilune.class"
local errors = require "perilune.errors"
local Dataset = require "perilune.data.dataset"
local Source = require "perilune.data.source"

local ConcatDataset = class("ConcatDataset", Dataset)

ConcatDataset.options = {
  { "datasets", type = "list", required = true, doc = "the datasets, in order" },
  { "transform", type = "callable", doc = "changes each sample, after the datasets' own" },
}

function ConcatDataset:init(o)
  o = ConcatDataset:check(o)
  if #o.datasets == 0 then
    errors.raise("argument", "ConcatDataset: give it one dataset or more")
  end
  for k, dataset in ipairs(o.datasets) do
    if type(dataset) ~= "table" or not (dataset.get and dataset.size) then
      errors.raise("argument", ("ConcatDataset: entry %d is no dataset, it lacks get or size")
        :format(k))
    end
  end
  self.datasets, self.classes, self.transform = o.datasets, o.datasets[1].classes, o.transform
end

function ConcatDataset:size()
  local size = 0
  for _, dataset in ipairs(self.datasets) do size = size + dataset:size() end
  return size
end

function ConcatDataset:get(i)
  self:check_position(i)
  for _, dataset in ipairs(self.datasets) do
    local size = dataset:size()
    if i <= size then return self:transformed(dataset:get(i)) end
    i = i - size
  end
end

function ConcatDataset:source()
  local sources, same = {}, self.inner_sources ~= nil
  for k, dataset in ipairs(self.datasets) do
    sources[k] = Source.of(dataset)
    if not sources[k] then return nil end
    same = same and sources[k] == self.inner_sources[k]
  end
  if not same then
    self.inner_sources, self.own_source = sources, Source.concat(sources)
  end
  return self:transformed_source(self.own_source)
end

return ConcatDataset
