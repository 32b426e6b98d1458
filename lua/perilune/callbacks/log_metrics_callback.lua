--- Prints the newest metrics: those of training at the end of a training epoch, the others at the
-- end of an evaluation. Override log_metrics to send them elsewhere.

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

local function log_latest(self, trainer, wanted)
  local history, metrics, names = trainer.run_history, {}, {}
  for _, name in ipairs(history:get_metric_names()) do
    if wanted(name) then
      names[#names + 1] = name
      metrics[name] = history:get_latest_metric(name)
    end
  end
  if #names > 0 then self:log_metrics(trainer, metrics, names) end
end

local function is_train(name) return name:find("train", 1, true) ~= nil end
local function is_evaluation(name) return name:find("^evaluation_") ~= nil end
local function is_eval(name) return not is_train(name) and not is_evaluation(name) end

function LogMetricsCallback:on_train_epoch_end(trainer)
  log_latest(self, trainer, is_train)
end

function LogMetricsCallback:on_eval_epoch_end(trainer)
  log_latest(self, trainer, trainer.train_dataloader and is_eval or is_evaluation)
end

return LogMetricsCallback
