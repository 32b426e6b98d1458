--- Parameter names in files are PyTorch's, where the layers of a Sequential count from 0; in Lua
-- they count from 1. A part of a name that is a number is such a position: "1.weight" here is
-- "0.weight" there.

local errors = require "perilune.errors"

local names = {}

local function shift(name, by)
  return (name:gsub("[^.]+", function(part)
    if not part:find("^%d+$") or #part > 9 then return nil end
    local position = tonumber(part) + by
    if position < 0 then
      errors.raise("argument", ("'%s' cannot go to a file: positions count from 1, so no module "
        .. "can be called '%s'"):format(name, part), { argument = "name" })
    end
    return ("%d"):format(position)
  end))
end

local function shifted(tensors, by)
  local out = {}
  for i, name in ipairs(tensors) do
    local other = shift(name, by)
    out[i], out[other] = other, tensors[name]
  end
  return out
end

--- A state_dict as files name it.
function names.to_file(state)
  return shifted(state, -1)
end

--- The tensors of a file as state_dict names them.
function names.from_file(tensors)
  return shifted(tensors, 1)
end

return names
