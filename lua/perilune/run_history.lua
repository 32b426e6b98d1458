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

return RunHistory
