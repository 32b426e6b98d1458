--- What OneCycleLR and CyclicLR share beside their values: momentum that goes the other way, which
-- is the field `momentum` or the first of `betas`, and options given once or for each group.

local errors = require "perilune.errors"

local cycled_momentum = {}

--- Refuse an optimizer that has no momentum to cycle.
function cycled_momentum.check(scheduler)
  local group = scheduler.optimizer.param_groups[1]
  if group.betas == nil and group.momentum == nil then
    errors.raise("argument", ("%s: this optimizer has neither momentum nor betas; give"
      .. " cycle_momentum = false"):format(scheduler.name), { argument = "cycle_momentum" })
  end
end

--- Write a group's momentum.
function cycled_momentum.set(group, value)
  if group.betas then group.betas[1] = value else group.momentum = value end
end

--- An option as one number for each group.
-- @param value a number, or a list with one for each group
function cycled_momentum.per_group(scheduler, name, value)
  local n, list = #scheduler.optimizer.param_groups, {}
  if type(value) == "table" and #value ~= n then
    errors.raise("argument", ("%s: '%s' has %d values, the optimizer %d groups"):format(
      scheduler.name, name, #value, n), { argument = name })
  end
  for i = 1, n do list[i] = type(value) == "table" and value[i] or value end
  return list
end

return cycled_momentum
