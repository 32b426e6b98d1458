--- pl.metrics: every metric in a file of its own, found by name. Also how a Trainer makes its
-- metrics of names and objects; those functions begin with a small letter and are fields of the
-- namespace.

local class = require "perilune.class"
local errors = require "perilune.errors"

local metrics = require("perilune.lazy")("perilune.metrics")

local methods = { "update", "compute", "reset", "merge" }

local function check_methods(metric)
  for _, name in ipairs(methods) do
    if type(metric[name]) ~= "function" then
      errors.raise("argument", ("a metric needs update, compute, reset and merge; %s has no %s")
        :format(class.name_of(metric), name), { argument = "metrics" })
    end
  end
end

local function snake_case(name)
  return name:gsub("(%l)(%u)", "%1_%2"):lower()
end

local function camel_case(name)
  return (name:gsub("^%l", string.upper):gsub("_(%w)", string.upper))
end

-- Names are spelt as metrics are recorded: "accuracy", not "Accuracy".
local function refuse_name(name, err)
  local meant = tostring(err):match("did you mean '(%w+)'")
  errors.raise("argument", ("there is no metric '%s'%s"):format(name,
    meant and (" (did you mean '%s'?)"):format(snake_case(meant))
    or "; one of your own is an object with update, compute, reset and merge"),
    { argument = "metrics" })
end

local function make_one(metric)
  if type(metric) == "string" then
    local found, made = pcall(function() return metrics[camel_case(metric)] end)
    if not found then refuse_name(metric, made) end
    metric = made()
  elseif class.is_class(metric) then
    metric = metric()
  elseif type(metric) ~= "table" then
    errors.raise("argument", ("a metric must be a name, a class or an object, got a %s")
      :format(type(metric)), { argument = "metrics" })
  end
  check_methods(metric)
  return metric
end

--- Metrics from names ("accuracy"), classes and objects, in order.
function metrics.make(list)
  local made = {}
  for i, metric in ipairs(list) do made[i] = make_one(metric) end
  return made
end

--- Metrics like these that count for themselves: each has its fields and its class, and is reset.
function metrics.copies(list)
  local copies = {}
  for i, metric in ipairs(list) do
    local copy = setmetatable({}, getmetatable(metric))
    for key, value in next, metric do rawset(copy, key, value) end
    copy:reset()
    copies[i] = copy
  end
  return copies
end

--- What a metric has counted; one without a state_dict is its fields.
function metrics.state_of(metric)
  if metric.state_dict then return metric:state_dict() end
  local fields = {}
  for key, value in next, metric do
    if type(value) ~= "function" then fields[key] = value end
  end
  return fields
end

--- Let a metric have counted what another of its kind has.
-- @param saved what `state_of` answered
function metrics.load(metric, saved)
  if metric.load_state_dict then return metric:load_state_dict(saved) end
  metric:reset()
  for key, value in next, saved do rawset(metric, key, value) end
end

--- A metric that has counted what all ranks have, merged in their order.
function metrics.of_all_ranks(metric, group)
  if group.size == 1 then return metric end
  local merged = metrics.copies{ metric }[1]
  for _, saved in ipairs(group:all_gather(metrics.state_of(metric))) do
    local one = metrics.copies{ metric }[1]
    metrics.load(one, saved)
    merged:merge(one)
  end
  return merged
end

--- The name a metric is recorded under.
function metrics.name_of(metric)
  return metric.name or class.name_of(metric)
end

return metrics
