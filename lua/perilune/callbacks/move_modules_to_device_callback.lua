--- Moves the model, and every other module that is a field of the trainer (a loss with weights, a
-- teacher), to the trainer's device when a run starts.

local class = require "perilune.class"
local suggest = require "perilune.suggest"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local MoveModulesToDeviceCallback = class("MoveModulesToDeviceCallback", TrainerCallback)

local function move_modules(trainer)
  local Module = require("perilune.nn").Module
  for _, name in ipairs(suggest.keys(trainer)) do
    local value = trainer[name]
    if class.is_instance(value, Module) then value:to(trainer.device) end
  end
end

function MoveModulesToDeviceCallback:on_training_run_start(trainer)
  move_modules(trainer)
end

function MoveModulesToDeviceCallback:on_evaluation_run_start(trainer)
  move_modules(trainer)
end

function MoveModulesToDeviceCallback:on_predict_run_start(trainer)
  move_modules(trainer)
end

return MoveModulesToDeviceCallback
