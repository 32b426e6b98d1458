--- The metatable of t.shape: a plain list that prints and compares as a whole. It stays a list for
-- everything that asks for one.

local sizes = { is_list = true }

--- "{2, 3}", "{}" for a scalar.
function sizes:__tostring() return "{" .. table.concat(self, ", ") .. "}" end

function sizes.__concat(a, b) return tostring(a) .. tostring(b) end

--- Whether both have the same sizes.
function sizes.__eq(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do
    if a[i] ~= b[i] then return false end
  end
  return true
end

return sizes
