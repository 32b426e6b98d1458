--- Batches: tables of positional or named fields. Reading a name that is none of them is an error
-- with "did you mean"; numbers stay free, so a batch may be read past its end.

local check = require "perilune.check"

local batch = {}

local strict = getmetatable(check.strict_table({}, "batch"))

--- Make a table a batch, unless it has a metatable of its own.
-- @return the table
function batch.make(t)
  if getmetatable(t) == nil then setmetatable(t, strict) end
  return t
end

return batch
