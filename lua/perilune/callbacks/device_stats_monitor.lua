--- Logs what the device and this process use, in the updates that log_every names: what the
-- accelerator's get_device_stats tells, as "cuda:0/memory_used_bytes".

local class = require "perilune.class"
local suggest = require "perilune.suggest"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local DeviceStatsMonitor = class("DeviceStatsMonitor", TrainerCallback)

local function stats_of(trainer)
  return trainer.strategy.accelerator:get_device_stats(trainer.device)
end

-- Loads are means over time, which begins with the first question.
function DeviceStatsMonitor:on_training_run_start(trainer)
  stats_of(trainer)
end

function DeviceStatsMonitor:on_before_optimizer_step(trainer)
  if not trainer.log_due then return end
  local stats = stats_of(trainer)
  for _, name in ipairs(suggest.keys(stats)) do
    trainer:log(trainer.device .. "/" .. name, stats[name])
  end
end

return DeviceStatsMonitor
