--- The base class of metrics: what is measured beside the loss. `update` takes a batch and reads
-- nothing from the device; `compute` reads. A metric is recorded under its `name`.

local class = require "perilune.class"
local errors = require "perilune.errors"

local Metric = class("Metric")

local function abstract(name)
  Metric[name] = function(self)
    errors.raise("user", ("%s does not define %s"):format(class.name_of(self), name))
  end
end

-- update(outputs, targets), compute() -> number, reset(), merge(other)
for _, name in ipairs{ "update", "compute", "reset", "merge" } do abstract(name) end

return Metric
