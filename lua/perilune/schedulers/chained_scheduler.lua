--- schedulers.ChainedScheduler: several schedulers at once; the shares of the initial value that
-- they leave are multiplied.

local class = require "perilune.class"
local CombinedScheduler = require "perilune.schedulers.combined_scheduler"

local ChainedScheduler = class("ChainedScheduler", CombinedScheduler)
ChainedScheduler.options = {
  { "schedulers", type = "list", required = true, doc = "of the same optimizer" },
}

function ChainedScheduler:init(o)
  CombinedScheduler.init(self, ChainedScheduler:check(o))
  self:step_update(0)
end

function ChainedScheduler:get_updated_values(n)
  local bases, values = self:base_values(), self:base_values()
  for i = 1, #self.schedulers do
    for g, value in ipairs(self:values_of(i, n)) do
      values[g] = bases[g] ~= 0 and values[g] * (value / bases[g]) or 0
    end
  end
  return values
end

return ChainedScheduler
