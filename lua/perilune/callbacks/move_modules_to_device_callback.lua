--- Places every module that is a field of the trainer (a loss with weights, a teacher) when a run
-- starts, as the strategy has placed the model: in the run's dtype, on its device.

local class = require "perilune.class"
local suggest = require "perilune.suggest"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local MoveModulesToDeviceCallback = class("MoveModulesToDeviceCallback", TrainerCallback)

local function move_modules(trainer)
  local Module = require("perilune.nn").Module
  for _, name in ipairs(suggest.keys(trainer)) do
    local value = trainer[name]
    if value ~= trainer.model and class.is_instance(value, Module) then
      trainer.strategy:place_module(value)
    end
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
