--- Subset(dataset, indices): the samples at some positions of another dataset, in that order. Its
-- own transform comes after the dataset's.

local ffi = require "ffi"
local class = require "perilune.class"
local Dataset = require "perilune.data.dataset"
local Source = require "perilune.data.source"
local positions = require "perilune.data.positions"

local Subset = class("Subset", Dataset)

Subset.options = {
  { "dataset", type = "table", required = true, doc = "where the samples are" },
  { "indices", type = "table", required = true, doc = "list of positions, from 1" },
  { "transform", type = "callable", doc = "changes each sample" },
}

local function setup(self, dataset, array, n)
  self.dataset, self.classes = dataset, dataset.classes
  self.positions, self.count = array, n
end

function Subset:init(o)
  o = Subset:check(o)
  self.transform = o.transform
  setup(self, o.dataset, positions.from_list(o.indices, o.dataset:size(), "Subset"))
end

--- The subset of n positions in an int64 array that counts from 0, from `first` on.
function Subset.of_positions(dataset, array, first, n)
  local own = positions.new(n)
  ffi.copy(own, array + first, n * 8)
  local self = setmetatable({}, Subset)
  setup(self, dataset, own, n)
  return self
end

function Subset:size()
  return self.count
end

--- The position in `dataset` of sample i.
function Subset:index(i)
  return tonumber(self.positions[self:check_position(i) - 1]) + 1
end

function Subset:get(i)
  return self:transformed(self.dataset:get(self:index(i)))
end

function Subset:source()
  local inner = Source.of(self.dataset)
  if inner ~= self.inner_source then
    self.inner_source = inner
    self.own_source = inner and inner:select(self.positions, self.count)
  end
  return self:transformed_source(self.own_source)
end

return Subset
