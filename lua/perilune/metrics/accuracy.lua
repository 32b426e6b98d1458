--- The fraction of samples whose target is the largest output, or among the `top_k` largest. The
-- count of hits stays on the device until it is computed. With `top_k` above 1 an output that ties
-- with the target's counts as larger, so a model whose outputs are all equal gets no hits.

local class = require "perilune.class"
local Metric = require "perilune.metrics.metric"

local Accuracy = class("Accuracy", Metric)

Accuracy.options = {
  { "top_k", 1, type = "integer", min = 1, doc = "a hit is among so many largest outputs" },
}

function Accuracy:init(o)
  o = Accuracy:check(o)
  self.top_k = o.top_k
  self.name = o.top_k == 1 and "accuracy" or "top_" .. o.top_k .. "_accuracy"
  self:reset()
end

function Accuracy:reset()
  self.count, self.hits = 0, nil
end

local function hits_of(self, outputs, targets)
  if self.top_k == 1 then return outputs:argmax(-1):eq(targets) end
  local wanted = outputs:gather(targets:reshape(-1, 1), -1)
  return outputs:lt(wanted):sum(-1):ge(outputs:size(2) - self.top_k)
end

--- @param outputs n x classes
-- @param targets n positions; or n x classes shares, of which the largest counts
function Accuracy:update(outputs, targets)
  if not self.hits then
    local create = require "perilune.create"
    self.hits = create.zeros({}, { dtype = "i64", device = outputs.device }):keep()
  end
  if targets:dim() == outputs:dim() then targets = targets:argmax(-1) end
  self.hits:add_(hits_of(self, outputs, targets):sum())
  self.count = self.count + targets:numel()
end

--- The fraction of hits; nil before the first sample.
function Accuracy:compute()
  if self.count > 0 then return tonumber(self.hits:item()) / self.count end
end

--- Take over what another accuracy has counted.
function Accuracy:merge(other)
  if other.count == 0 then return end
  if self.hits then
    self.hits:add_(other.hits)
  else
    self.hits = other.hits:clone():keep()
  end
  self.count = self.count + other.count
end

return Accuracy
