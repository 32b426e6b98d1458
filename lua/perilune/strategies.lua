--- pl.strategies: the values of the Trainer's `strategy`, by name.

local class = require "perilune.class"
local Registry = require "perilune.registry"
local Strategy = require "perilune.strategy"

local StrategyRegistry = class("StrategyRegistry", Registry)

function StrategyRegistry:init()
  Registry.init(self, "strategy", "strategies", Strategy)
end

--- The name of the strategy that is best for a number of devices.
-- @return a name, or nil where none accepts so many
function StrategyRegistry:best_for(count)
  local best, best_priority
  for _, name in ipairs(self:names()) do
    local c = self:class_of(name)
    if c.priority and c:accepts(count) and (not best or c.priority > best_priority) then
      best, best_priority = name, c.priority
    end
  end
  return best
end

--- The names of all strategies, sorted; printed, a line each with its description.
-- @return a list of strings
function StrategyRegistry:available_strategies()
  return self:available()
end

local strategies = StrategyRegistry()

strategies:register("single_device", function()
  return require "perilune.strategy.single_device"
end, { description = "one process, one device" })

return strategies
