--- A pass whose batches go through the loader's batch_transform; `math.random` is seeded for each
-- from (seed, epoch, its first sample).

local check = require "perilune.check"
local errors = require "perilune.errors"
local batch = require "perilune.data.batch"
local draws = require "perilune.data.draws"

-- The first sample of the pass's next batch, from 1.
local function first_sample(self)
  local taken, plan = self.taken, self.plan
  if not plan then return (self.skipped + taken) * self.loader.batch_size + 1 end
  return tonumber(plan.positions[taken > 0 and plan.ends[taken - 1] or 0]) + 1
end

local function next_transformed(self)
  local values = self.step(self.inner)
  if values == nil then return nil end
  draws.begin_batch(self.seed, self.epoch, first_sample(self))
  self.taken = self.taken + 1
  local result = self.loader.batch_transform(values)
  if type(result) ~= "table" then
    errors.raise("argument", "DataLoader: batch_transform returns a batch, not "
      .. check.describe(result), { argument = "batch_transform" })
  end
  return batch.make(result)
end

local Pass = {}
Pass.__index = Pass

--- End the pass early.
function Pass:close()
  self.inner:close()
end

--- Wrap a pass.
-- @param about { seed, epoch, skipped = batches before, plan = nil where samples just come }
-- @return what a `for` loop takes
return function(loader, about, step, inner)
  return next_transformed, setmetatable({ loader = loader, plan = about.plan,
    skipped = about.skipped, seed = about.seed, epoch = about.epoch, step = step, inner = inner,
    taken = 0 }, Pass)
end
