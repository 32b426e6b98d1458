--- The mean of a value of each batch: of all elements of a tensor, every element counting the same
-- whatever the batch. The sum stays on the device until it is computed.

local class = require "perilune.class"
local Metric = require "perilune.metrics.metric"

local Mean = class("Mean", Metric)

local function outputs_of(outputs) return outputs end

Mean.options = {
  { "name", "mean", doc = "what it is recorded under" },
  { "value", outputs_of, type = "callable",
    doc = "value(outputs, targets) gives the tensor; the outputs themselves if absent" },
}

function Mean:init(o)
  o = Mean:check(o)
  self.name, self.value = o.name, o.value
  self:reset()
end

function Mean:reset()
  self.sum, self.count = nil, 0
end

-- f64 holds the sums of every dtype.
local function add(self, sum)
  if self.sum then
    self.sum:add_(sum)
  else
    self.sum = sum:to("f64"):clone():keep()
  end
end

function Mean:update(outputs, targets)
  local value = self.value(outputs, targets):detach()
  add(self, value:to("f64"):sum())
  self.count = self.count + value:numel()
end

--- The mean; nil before the first element.
function Mean:compute()
  if self.count > 0 then return self.sum:item() / self.count end
end

--- Take over what another mean has summed.
function Mean:merge(other)
  if other.count == 0 then return end
  add(self, other.sum)
  self.count = self.count + other.count
end

return Mean
