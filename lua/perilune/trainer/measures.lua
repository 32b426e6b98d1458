--- What one loop measures: the loss, the losses an output names beside it, and the metrics. All of
-- it stays on the device until it is recorded, at the end of a pass.

local class = require "perilune.class"
local errors = require "perilune.errors"
local metrics = require "perilune.metrics"
local LossTracker = require "perilune.loss_tracker"
local is_tensor = require("perilune.tensor").is_tensor

local Measures = class("Measures")

--- @param trainer whose device, process group and event on_non_finite_loss are used
-- @param list the metrics
function Measures:init(trainer, list)
  self.trainer, self.metrics = trainer, list
  self.named, self.by_name = {}, {}
  self.loss = LossTracker(trainer.device, trainer.process_group, function(loss, update, step)
    trainer:emit("on_non_finite_loss", loss, update, step)
  end)
end

--- A pass begins.
function Measures:reset()
  self.loss:reset()
  for i = 1, #self.named do self.named[i].tracker:reset() end
  for i = 1, #self.metrics do self.metrics[i]:reset() end
end

local function check_output(output)
  if type(output) ~= "table" or is_tensor(output) or not is_tensor(output.loss)
    or type(output.batch_size) ~= "number" then
    errors.raise("user", "calculate_train_batch_loss and calculate_eval_batch_loss must return "
      .. "{ loss = a tensor, model_outputs = anything, batch_size = a number }")
  elseif output.loss:numel() ~= 1 then
    errors.raise("shape", ("the loss of a batch must be one number, got a tensor of shape %s; "
      .. ":mean() or :sum() makes it one"):format(table.concat(output.loss.shape, "x")))
  end
end

local function new_tracker(self, name)
  local tracker = LossTracker(self.trainer.device, self.trainer.process_group)
  self.by_name[name] = tracker
  self.named[#self.named + 1] = { name = name, tracker = tracker }
  return tracker
end

local function tracker_of(self, entry)
  local name = type(entry) == "table" and entry[1]
  if type(name) ~= "string" or not is_tensor(entry[2]) then
    errors.raise("user", "the losses of an output are a list of a name and a tensor each: "
      .. "losses = { { \"kl\", kl }, { \"reconstruction\", reconstruction } }")
  end
  return new_tracker(self, name)
end

--- Take the output of a batch.
-- @return how many items its loss is the mean of
function Measures:update(output, update, step)
  check_output(output)
  local items = output.num_items or output.batch_size
  self.loss:update(output.loss, items, update, step)
  local losses = output.losses
  if losses then
    for i = 1, #losses do
      local entry = losses[i]
      local tracker = self.by_name[entry[1]] or tracker_of(self, entry)
      tracker:update(entry[2], items, update, step)
    end
  end
  return items
end

--- Record a pass in a run history.
-- @param pattern names of losses: "train_%s_epoch"
-- @param prefix before the names of metrics: "train_"
-- @param results where the values go under their full names too
-- @return whether there was a batch
function Measures:record(history, pattern, prefix, results)
  local average = self.loss:average()
  if not average then return false end
  local function put(name, value)
    history:update_metric(name, value)
    results[history.metric_name_prefix .. name] = value
  end
  put(pattern:format("loss"), average)
  for _, named in ipairs(self.named) do
    local value = named.tracker:average()
    if value then put(pattern:format(named.name), value) end
  end
  for _, metric in ipairs(self.metrics) do
    local value = metrics.of_all_ranks(metric, self.trainer.process_group):compute()
    if value ~= nil then put(prefix .. metrics.name_of(metric), value) end
  end
  return true
end

--- What the named losses of an epoch have summed up so far.
function Measures:state_dict()
  local saved = {}
  for i, named in ipairs(self.named) do
    saved[i] = { name = named.name, state = named.tracker:state_dict() }
  end
  return saved
end

function Measures:load_state_dict(saved)
  for _, named in ipairs(saved) do
    local tracker = self.by_name[named.name] or new_tracker(self, named.name)
    tracker:load_state_dict(named.state)
  end
end

return Measures
