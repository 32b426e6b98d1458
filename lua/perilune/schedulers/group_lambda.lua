--- The function of a group: `scheduler.lr_lambda` itself, or its entry for the group.

local errors = require "perilune.errors"

return function(scheduler, group)
  local lambda = scheduler.lr_lambda
  if type(lambda) ~= "table" or getmetatable(lambda) then return lambda end
  if not lambda[group] then
    errors.raise("argument", ("%s: 'lr_lambda' has %d functions, the optimizer %d groups"):format(
      scheduler.name, #lambda, #scheduler.optimizer.param_groups), { argument = "lr_lambda" })
  end
  return lambda[group]
end
