--- Prints the metrics recorded since it last did: those of training at the end of a training
-- epoch, the others at the end of an evaluation. Override log_metrics to send them elsewhere.

local class = require "perilune.class"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local LogMetricsCallback = class("LogMetricsCallback", TrainerCallback)

--- After whatever computes metrics.
LogMetricsCallback.priority = -100

--- Take the metrics of an epoch.
-- @param metrics name -> value
-- @param names the names in the order they were recorded in
function LogMetricsCallback:log_metrics(trainer, metrics, names)
  local texts = {}
  for i, name in ipairs(names) do
    local value = metrics[name]
    texts[i] = type(value) == "number" and ("%s: %.4g"):format(name, value)
      or ("%s: %s"):format(name, tostring(value))
  end
  local epoch = ("epoch %d  "):format(trainer.run_history.current_epoch)
  trainer:print((trainer.train_dataloader and epoch or "") .. table.concat(texts, "  "))
end

-- What the history holds already is not logged.
local function mark(self, history)
  self.seen = {}
  for _, name in ipairs(history:get_metric_names()) do
    self.seen[name] = history:get_metric_count(name)
  end
end

-- The metrics that are new. A table, such as a confusion matrix, is not for one line.
local function log_new(self, trainer, wanted)
  local history, metrics, names = trainer.run_history, {}, {}
  if trainer.saved_history then return end
  self.seen = self.seen or {}
  for _, name in ipairs(history:get_metric_names()) do
    local count = history:get_metric_count(name)
    if wanted(name) and count ~= self.seen[name] then
      self.seen[name] = count
      local value = history:get_latest_metric(name)
      if type(value) ~= "table" then
        names[#names + 1] = name
        metrics[name] = value
      end
    end
  end
  if #names > 0 then self:log_metrics(trainer, metrics, names) end
end

local function is_evaluation(name) return name:find("evaluation_", 1, true) ~= nil end
local function is_train(name)
  return name:find("train", 1, true) ~= nil and not name:find("eval", 1, true)
end
local function is_eval(name) return not is_train(name) and not is_evaluation(name) end

function LogMetricsCallback:on_training_run_start(trainer)
  mark(self, trainer.run_history)
end

function LogMetricsCallback:on_evaluation_run_start(trainer)
  mark(self, trainer.run_history)
end

function LogMetricsCallback:on_train_epoch_end(trainer)
  log_new(self, trainer, is_train)
end

function LogMetricsCallback:on_eval_epoch_end(trainer)
  log_new(self, trainer, trainer.train_dataloader and is_eval or is_evaluation)
end

return LogMetricsCallback
