--- Saves training states (or only weights) as the run goes: the best k by a metric, the newest k
-- without one, and `last`. A disk that refuses is reported; the training goes on and the last good
-- one stays. One that is no longer among the k goes when the one in its place is on the disk.

local lfs = require "lfs"
local class = require "perilune.class"
local errors = require "perilune.errors"
local places = require "perilune.state.places"
local saving = require "perilune.state.saving"
local Interval = require "perilune.interval"
local TrainerCallback = require "perilune.callbacks.trainer_callback"
local WatchedMetric = require "perilune.watched_metric"

local ModelCheckpoint = class("ModelCheckpoint", TrainerCallback)

ModelCheckpoint.options = {
  { "dirpath", "checkpoints", doc = "where; in the trainer's root_dir if it has one" },
  { "filename", "epoch={epoch}-update={update}",
    doc = "{epoch}, {update} and metrics, which may have a format: {eval_loss_epoch:%.3f}" },
  { "monitor", type = "string", doc = "the metric that decides which are best; none: the newest" },
  { "mode", "min", choices = { "min", "max" }, doc = "whether small or large values are good" },
  { "save_top_k", 1, type = "integer", min = -1, doc = "how many are kept; -1 all, 0 none" },
  { "save_last", false, doc = "`last` is always the newest" },
  { "save_weights_only", false, doc = "a file of weights instead of a training state" },
  { "every", { epochs = 1 }, type = "table", doc = "how often" },
}

function ModelCheckpoint:init(o)
  o = ModelCheckpoint:check(o)
  self.dirpath, self.filename, self.save_top_k = o.dirpath, o.filename, o.save_top_k
  self.save_last, self.save_weights_only = o.save_last, o.save_weights_only
  self.monitor = o.monitor or nil
  self.metric = self.monitor and WatchedMetric(self.monitor, o.mode == "max")
  self.every, self.batches = Interval(o.every, "ModelCheckpoint: every"), 0
  self.kept = {}
end

--- Where the states of a trainer are.
function ModelCheckpoint:state_directory(trainer)
  self.directory = places.inside(trainer.root_dir, self.dirpath)
  return self.directory
end

--- The path of the best one, or of the newest where no metric is watched; nil before the first.
function ModelCheckpoint:best_model_path()
  return self.kept[1] and self.directory .. "/" .. self.kept[1].name
end

local function text_of(trainer, name, format)
  local history = trainer.run_history
  local value
  if name == "epoch" then
    value = history.current_epoch
  elseif name == "update" then
    value = trainer.update
  else
    value = history:get_latest_metric(name)
  end
  if format == "" then format = value % 1 == 0 and "%d" or "%.4f" end
  return format:format(value)
end

local function name_of(self, trainer)
  local name = self.filename:gsub("{([%w_]+):?([^}]*)}", function(field, format)
    return text_of(trainer, field, format)
  end)
  return self.save_weights_only and name .. ".safetensors" or name
end

-- The entry's place among those kept, or nil if it is not to be kept.
local function place_of(self, entry)
  if self.save_top_k == 0 then return nil end
  if not self.metric then return 1 end
  if self.save_top_k < 0 and entry.value ~= entry.value then return #self.kept + 1 end
  for i, other in ipairs(self.kept) do
    if self.metric:is_better(entry.value, other.value) then return i end
  end
  local room = self.save_top_k < 0 or #self.kept < self.save_top_k
  return room and entry.value == entry.value and #self.kept + 1 or nil
end

local function forget(self, name)
  for i, entry in ipairs(self.kept) do
    if entry.name == name then return table.remove(self.kept, i) end
  end
end

-- Calls after(saved) when it is on the disk.
local function write(self, trainer, name, best, after)
  local path = self:state_directory(trainer) .. "/" .. name
  if self.save_weights_only then
    trainer:save_checkpoint(path, { go_on = true, after = after })
  else
    trainer:save_training_state(path, { go_on = true, best = best, after = after })
  end
end

local function keep_last(self, trainer)
  write(self, trainer, self.save_weights_only and "last.safetensors" or "last")
end

local function save(self, trainer)
  if self.save_last then keep_last(self, trainer) end
  if self.metric and not self.metric:is_there(trainer) then
    self.has_missed = true
    return
  end
  local entry =
    { name = name_of(self, trainer), value = self.metric and self.metric:value(trainer) }
  forget(self, entry.name)
  local place = place_of(self, entry)
  if not place then return end
  table.insert(self.kept, place, entry)
  local surplus = self.save_top_k > 0 and #self.kept > self.save_top_k and table.remove(self.kept)
  local best = self.metric and { metric = self.monitor, value = entry.value,
    greater_is_better = self.metric.greater_is_better } or nil
  write(self, trainer, entry.name, best, function(saved)
    if not saved then
      forget(self, entry.name)
      if surplus then self.kept[#self.kept + 1] = surplus end
    elseif surplus then
      saving.remove(trainer, self:state_directory(trainer) .. "/" .. surplus.name)
    end
  end)
end

function ModelCheckpoint:on_training_run_start(trainer)
  self:state_directory(trainer)
  self.every:start()
end

-- A metric that never was is a slip of the pen: said after the first epoch where every epoch is
-- evaluated, else when the run ends.
local function check_metric(self, trainer)
  if self.has_missed and self.metric then self.metric:value(trainer) end
  self.has_missed = false
end

function ModelCheckpoint:on_optimizer_step_end(trainer)
  if self.every:due("updates", trainer.update, trainer.process_group) then save(self, trainer) end
end

function ModelCheckpoint:on_train_step_end(trainer)
  self.batches = self.batches + 1
  if self.every:due("batches", self.batches) then save(self, trainer) end
end

function ModelCheckpoint:on_training_run_epoch_end(trainer)
  if self.every:due("epochs", trainer.run_history.current_epoch) then save(self, trainer) end
  if not trainer.eval_interval then check_metric(self, trainer) end
end

function ModelCheckpoint:on_training_run_end(trainer)
  check_metric(self, trainer)
end

function ModelCheckpoint:state_dict()
  return { kept = self.kept, batches = self.batches }
end

-- A stranger may have written the state, and what is kept is removed one day: only a name below the
-- directory of this trainer counts.
local function is_inside(name)
  return type(name) == "string" and name ~= "" and not ("/" .. name .. "/"):find("/%.*/")
end

--- What has been removed from the disk meanwhile is forgotten.
function ModelCheckpoint:load_state_dict(state)
  self.kept, self.batches = {}, state.batches
  for _, entry in ipairs(state.kept) do
    if not is_inside(entry.name) then
      errors.raise("format", ("the state of ModelCheckpoint names '%s', which is no name in its "
        .. "directory"):format(tostring(entry.name)))
    end
    local there = not self.directory
      or lfs.attributes(self.directory .. "/" .. entry.name, "mode") ~= nil
    if there then self.kept[#self.kept + 1] = { name = entry.name, value = entry.value } end
  end
end

return ModelCheckpoint
