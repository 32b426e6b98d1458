--- Options of layers over height and width: one integer for both, or a list of the two.

local errors = require "perilune.errors"

local pairs_of_sizes = {}

--- The declaration of such an option, for a class's options.
function pairs_of_sizes.option(name, default, doc)
  return { name, default, type = { "integer", "table" }, doc = doc }
end

--- The two sizes as a list.
-- @param layer class name for the error
-- @param name of the option
-- @param value integer or { height, width }
function pairs_of_sizes.both(layer, name, value)
  if type(value) == "number" then return { value, value } end
  local good = #value == 2
  for i = 1, #value do good = good and type(value[i]) == "number" and value[i] % 1 == 0 end
  if not good then
    errors.raise("argument", ("%s: %s must be an integer or { height, width }"):format(layer, name),
      { argument = name })
  end
  return { value[1], value[2] }
end

--- "(3, 3)", as PyTorch prints it; a word as it is.
function pairs_of_sizes.text(value)
  if type(value) ~= "table" then return tostring(value) end
  return "(" .. table.concat(value, ", ") .. (#value == 1 and "," or "") .. ")"
end

return pairs_of_sizes
