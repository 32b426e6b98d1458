--- How often samples of each class were taken for each class: row t, column p counts the samples of
-- class t whose largest output is p. The counts stay on the device until they are computed.

local class = require "perilune.class"
local Metric = require "perilune.metrics.metric"

local ConfusionMatrix = class("ConfusionMatrix", Metric)

ConfusionMatrix.options = {
  { "num_classes", type = "integer", min = 1, required = true, doc = "how many classes there are" },
}

function ConfusionMatrix:init(o)
  self.num_classes = ConfusionMatrix:check(o).num_classes
  self.name = "confusion_matrix"
  self:reset()
end

function ConfusionMatrix:reset()
  self.counts = nil
end

local function add(self, counts)
  if self.counts then
    self.counts:add_(counts)
  else
    self.counts = counts:clone():keep()
  end
end

--- @param outputs n x classes
-- @param targets n positions
function ConfusionMatrix:update(outputs, targets)
  local n = self.num_classes
  local wanted = targets:one_hot(n):to("f64")
  local given = outputs:argmax(-1):one_hot(n):to("f64")
  add(self, wanted:t():matmul(given))
end

--- @return a list of rows of counts; nil before the first sample
function ConfusionMatrix:compute()
  return self.counts and self.counts:totable()
end

--- Take over what another has counted.
function ConfusionMatrix:merge(other)
  if other.counts then add(self, other.counts) end
end

return ConfusionMatrix
