--- IterableDataset: samples in the order they come. A subclass gives `iterate()`; the loader takes
-- them as they come, so it neither shuffles nor knows how many batches there are.

local class = require "perilune.class"
local errors = require "perilune.errors"

local IterableDataset = class("IterableDataset")

function IterableDataset:init() end

--- What a `for` loop takes: each step gives a sample's values or one table of named fields.
function IterableDataset:iterate()
  errors.raise("argument", ("%s has no iterate()"):format(class.name_of(self)))
end

return IterableDataset
