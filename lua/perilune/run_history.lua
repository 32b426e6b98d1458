--- The interface of a run history: the metrics of a run, and the epoch it is in (from 1). A
-- subclass defines every method; `current_epoch` and `metric_name_prefix` are fields.

local class = require "perilune.class"
local errors = require "perilune.errors"

local RunHistory = class("RunHistory")

local function abstract(name)
  RunHistory[name] = function(self)
    errors.raise("user", ("%s does not define %s"):format(class.name_of(self), name))
  end
end

for _, name in ipairs{
  "get_metric_names", "get_metric_values", "get_latest_metric", "update_metric", "delete_metric",
  "set_metric_name_prefix", "increment_epoch", "set_epoch", "reset",
} do
  abstract(name)
end

--- How many values of a metric there are.
function RunHistory:get_metric_count(name)
  return #self:get_metric_values(name)
end

--- Every metric with its values, in the order of the names.
function RunHistory:state_dict()
  local metrics = {}
  for i, name in ipairs(self:get_metric_names()) do
    metrics[i] = { name = name, values = self:get_metric_values(name) }
  end
  return { current_epoch = self.current_epoch, metrics = metrics,
    metric_name_prefix = self.metric_name_prefix }
end

function RunHistory:load_state_dict(state)
  self:reset()
  for _, metric in ipairs(state.metrics) do
    for _, value in ipairs(metric.values) do self:update_metric(metric.name, value) end
  end
  self:set_metric_name_prefix(state.metric_name_prefix)
  self:set_epoch(state.current_epoch)
end

return RunHistory
