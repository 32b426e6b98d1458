--- schedulers.LambdaLR: the value times what a function says of the number of updates.

local class = require "perilune.class"
local group_lambda = require "perilune.schedulers.group_lambda"
local FactorScheduler = require "perilune.schedulers.factor_scheduler"

local LambdaLR = class("LambdaLR", FactorScheduler)
LambdaLR.options = {
  { "lr_lambda", type = { "callable", "list" }, required = true,
    doc = "function(num_updates) -> factor, or a list with one for each group" },
}

function LambdaLR:init(o)
  FactorScheduler.init(self, LambdaLR:check(o))
end

function LambdaLR:factor(n, group)
  return group_lambda(self, group)(n)
end

return LambdaLR
