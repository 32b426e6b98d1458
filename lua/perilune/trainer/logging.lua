--- What is logged in an update: values collected while it is under way, read from the device and
-- handed on when it is over. A Trainer's log_every says in which updates.

local errors = require "perilune.errors"
local is_tensor = require("perilune.tensor").is_tensor

local logging = {}

local function is_histogram(value)
  return type(value) == "table" and type(value.counts) == "table" and type(value.edges) == "table"
end

--- Take a value of the update that is under way.
function logging.add(self, name, value)
  if not self.log_due then return end
  if type(name) ~= "string"
    or not (type(value) == "number" or is_tensor(value) or is_histogram(value)) then
    errors.raise("argument", "Trainer:log takes a name and a number, a tensor of one element or a "
      .. "histogram, { counts = {...}, edges = {...} }", { argument = "value" })
  end
  self.logged[#self.logged + 1] = { name, value }
end

--- The update is over: record its values and tell on_log.
function logging.flush(self)
  local values, names = {}, {}
  for i, entry in ipairs(self.logged) do
    local name, value = entry[1], entry[2]
    value = is_tensor(value) and tonumber(value:item()) or value
    self.run_history:update_metric(name, value)
    names[i], values[name] = name, value
  end
  self.logged = {}
  self:emit("on_log", values, names)
end

return logging
