-- What every op means, in plain Lua on arrays of doubles: reference.<op>(attributes, inputs...)
-- answers the output array, or the updated inputs by name for rows that update in place.
-- Positions count from 1 here whatever base a call uses. Defaults are written out, as a check.

local reference = {}
for _, family in ipairs{
  "pointwise", "reduce", "matmul", "view", "conv", "pool", "norm", "recurrent", "index", "loss", "random", "create", "optim",
} do
  for op, f in pairs(require("tests.ops.reference." .. family)) do reference[op] = f end
end
return reference
