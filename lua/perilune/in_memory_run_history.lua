--- The run history that keeps every value in lists, in memory. Metric names come back in the order
-- they were first recorded in.

local class = require "perilune.class"
local errors = require "perilune.errors"
local suggest = require "perilune.suggest"
local RunHistory = require "perilune.run_history"

local InMemoryRunHistory = class("InMemoryRunHistory", RunHistory)

function InMemoryRunHistory:init()
  self:reset()
end

--- Forget every metric and go back to epoch 1.
function InMemoryRunHistory:reset()
  self.current_epoch = 1
  self.metric_name_prefix = ""
  self.names, self.values = {}, {}
end

--- All names, in the order they were first recorded in.
-- @return a list of strings
function InMemoryRunHistory:get_metric_names()
  local names = {}
  for i, name in ipairs(self.names) do names[i] = name end
  return names
end

local function values_of(self, name)
  local values = self.values[name]
  if not values then
    errors.raise("argument", ("no metric %q has been recorded%s")
      :format(tostring(name), suggest.hint(name, self.names)), { argument = "name" })
  end
  return values
end

--- Every value of a metric, oldest first.
-- @raise kind "argument" when nothing was recorded under this name
function InMemoryRunHistory:get_metric_values(name)
  local values = {}
  for i, value in ipairs(values_of(self, name)) do values[i] = value end
  return values
end

--- How many values of a metric there are.
-- @raise kind "argument" when nothing was recorded under this name
function InMemoryRunHistory:get_metric_count(name)
  return #values_of(self, name)
end

--- The newest value of a metric.
-- @raise kind "argument" when nothing was recorded under this name
function InMemoryRunHistory:get_latest_metric(name)
  local values = values_of(self, name)
  return values[#values]
end

--- Record a value; the prefix set with set_metric_name_prefix goes before the name.
function InMemoryRunHistory:update_metric(name, value)
  name = self.metric_name_prefix .. name
  local values = self.values[name]
  if not values then
    values = {}
    self.values[name] = values
    self.names[#self.names + 1] = name
  end
  values[#values + 1] = value
end

--- Forget a metric.
function InMemoryRunHistory:delete_metric(name)
  values_of(self, name)
  self.values[name] = nil
  for i, known in ipairs(self.names) do
    if known == name then return table.remove(self.names, i) end
  end
end

--- What update_metric puts before every name from now on; "" for nothing.
function InMemoryRunHistory:set_metric_name_prefix(prefix)
  self.metric_name_prefix = prefix
end

function InMemoryRunHistory:increment_epoch()
  self.current_epoch = self.current_epoch + 1
end

function InMemoryRunHistory:set_epoch(epoch)
  self.current_epoch = epoch
end

--- One line for each metric: its newest value and how many there are.
function InMemoryRunHistory:__tostring()
  local lines = { ("%s(epoch %d"):format(class.name_of(self), self.current_epoch) }
  for _, name in ipairs(self.names) do
    local values = self.values[name]
    lines[#lines + 1] = ("  %s: %.4g (%d recorded)"):format(name, values[#values], #values)
  end
  return table.concat(lines, "\n") .. ")"
end

return InMemoryRunHistory
