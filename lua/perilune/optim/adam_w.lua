--- optim.AdamW: Adam whose weight decay shrinks the weights and leaves the averages alone.
-- Source: Loshchilov and Hutter, Decoupled weight decay regularization (2019).

local class = require "perilune.class"
local Adam = require "perilune.optim.adam"

local AdamW = class("AdamW", Adam)
AdamW.options = {
  { "weight_decay", 0.01, min = 0, doc = "share of the weights, times lr, that a step takes away" },
  { "decoupled_weight_decay", true, doc = "false makes it Adam" },
}

function AdamW:init(o)
  Adam.init(self, AdamW:check(o))
end

return AdamW
