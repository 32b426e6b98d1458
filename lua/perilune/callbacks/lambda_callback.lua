--- A callback made of functions: LambdaCallback{ on_train_epoch_end = function(trainer) ... end }.
-- They get what the event gives, without the callback before it.

local class = require "perilune.class"
local errors = require "perilune.errors"
local suggest = require "perilune.suggest"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local LambdaCallback = class("LambdaCallback", TrainerCallback)

--- @param functions by the name of their event
function LambdaCallback:init(functions)
  for _, name in ipairs(suggest.keys(functions or {})) do
    local call = functions[name]
    if name:sub(1, 3) ~= "on_" or type(call) ~= "function" then
      errors.raise("argument", ("LambdaCallback takes functions by the names of events, got a %s "
        .. "named '%s'"):format(type(call), name), { argument = name })
    end
    self[name] = function(_, trainer, a, b, c, d) call(trainer, a, b, c, d) end
  end
end

return LambdaCallback
