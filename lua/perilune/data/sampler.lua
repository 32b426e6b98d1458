--- Sampler: in which order a loader takes the samples. A subclass gives `size()` and
-- `iterate(epoch)`, an iterator over positions from 1.

local class = require "perilune.class"
local errors = require "perilune.errors"

local Sampler = class("Sampler")

function Sampler:init() end

--- How many positions a pass has.
function Sampler:size()
  errors.raise("argument", ("%s has no size()"):format(class.name_of(self)))
end

--- What a `for` loop takes: each step gives a position, from 1.
function Sampler:iterate(_)
  errors.raise("argument", ("%s has no iterate(epoch)"):format(class.name_of(self)))
end

local function check_position(self, position)
  if type(position) ~= "number" or position % 1 ~= 0 or position < 1 then
    errors.raise("argument", ("%s: a sampler gives positions from 1, got %s"):format(
      class.name_of(self), tostring(position)), { argument = "sampler" })
  end
end

--- Write a pass's positions, counted from 0; subclasses that can do it at once override this.
-- @param out int64 array with room for size() positions
-- @param seed the loader's seed
-- @param epoch from 1
function Sampler:fill(out, _, epoch)
  local n, size = 0, self:size()
  for position in self:iterate(epoch) do
    check_position(self, position)
    if n < size then out[n] = position - 1 end
    n = n + 1
  end
  if n ~= size then
    errors.raise("argument", ("%s: size() is %d, but iterate() gave %d positions"):format(
      class.name_of(self), size, n), { argument = "sampler" })
  end
end

return Sampler
