--- Logs the learning rate of every parameter group, and other fields of it, in the updates that
-- log_every names: "lr", or "lr_group_1", "lr_group_2" where there are several groups. Values are
-- those the update is made with.

local class = require "perilune.class"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local LearningRateMonitor = class("LearningRateMonitor", TrainerCallback)

LearningRateMonitor.options = {
  { "fields", { "lr" }, type = "list",
    doc = "fields of parameter groups; absent ones are skipped" },
}

function LearningRateMonitor:on_before_optimizer_step(trainer)
  if not trainer.log_due then return end
  local groups = trainer.optimizer.param_groups
  for i, group in ipairs(groups) do
    for _, field in ipairs(self.fields) do
      local value = group[field]
      local name = #groups > 1 and ("%s_group_%d"):format(field, i) or field
      if type(value) == "number" then trainer:log(name, value) end
    end
  end
end

return LearningRateMonitor
