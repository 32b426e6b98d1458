--- The ordered private store of a module: its children, parameters and buffers by name, in the
-- order of first assignment. Setting a name again replaces its value in place, nil removes it.
-- Kinds are "module", "parameter", "buffer" and "transient" (a buffer that state_dict leaves out).

local Store = {}
Store.__index = Store

--- An empty store.
function Store.new()
  return setmetatable({ names = {}, values = {}, kinds = {} }, Store)
end

--- Set or replace a value.
function Store:set(name, value, kind)
  if self.values[name] == nil then self.names[#self.names + 1] = name end
  self.values[name], self.kinds[name] = value, kind
end

--- Remove a name; later ones move up.
function Store:remove(name)
  if self.values[name] == nil then return end
  self.values[name], self.kinds[name] = nil, nil
  for i, other in ipairs(self.names) do
    if other == name then
      table.remove(self.names, i)
      return
    end
  end
end

--- Iterate over entries of one kind or of two: for name, value in store:each("module") do.
function Store:each(kind, second)
  local i, names, values, kinds = 0, self.names, self.values, self.kinds
  return function()
    while true do
      i = i + 1
      local name = names[i]
      if name == nil then return nil end
      if kinds[name] == kind or kinds[name] == second then return name, values[name] end
    end
  end
end

return Store
