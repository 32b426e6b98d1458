--- nn.Dropout: in training each element becomes 0 with probability p, the others grow by
-- 1 / (1 - p); in evaluation nothing happens.

local class = require "perilune.class"
local Module = require "perilune.nn.module"

local Dropout = class("Dropout", Module)
Dropout.options = {
  { "p", 0.5, min = 0, max = 1, doc = "probability of an element to become 0" },
}

function Dropout:init(o)
  self.p = Dropout:check(o).p
end

function Dropout:forward(x)
  if not self.training or self.p == 0 then return x end
  return x:dropout(self.p)
end

function Dropout:extra_repr()
  return ("p=%s"):format(tostring(self.p))
end

return Dropout
