--- schedulers.MultiplicativeLR: at every update the value times what a function says of the number
-- of updates.

local class = require "perilune.class"
local group_lambda = require "perilune.schedulers.group_lambda"
local FactorScheduler = require "perilune.schedulers.factor_scheduler"

local MultiplicativeLR = class("MultiplicativeLR", FactorScheduler)
MultiplicativeLR.options = {
  { "lr_lambda", type = { "callable", "list" }, required = true,
    doc = "function(num_updates) -> factor, or a list with one for each group" },
}

function MultiplicativeLR:init(o)
  self.products = {}
  FactorScheduler.init(self, MultiplicativeLR:check(o))
end

--- The product so far is kept with its count, so a step costs one call; going back starts anew.
function MultiplicativeLR:factor(n, group)
  local kept = self.products[group]
  if not kept or kept.count > n then kept = { count = 0, product = 1 } end
  local lambda = group_lambda(self, group)
  for i = kept.count + 1, n do kept.product = kept.product * lambda(i) end
  kept.count, self.products[group] = n, kept
  return kept.product
end

return MultiplicativeLR
