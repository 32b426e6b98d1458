--- The base class of callbacks. It defines no hook: one that a subclass does not define is never
-- called. Hooks are `on_<event>(self, trainer, ...)`, with what the event gives:
--
--     on_train_step_start(batch)        on_train_batch_loss(batch, output)
--     on_train_step_end(batch, output, step)
--     on_eval_step_start(batch)         on_eval_step_end(batch, output, step)
--     on_stop_training(reason)          on_exception(err)
--     on_non_finite_loss(loss, update, step)
--
-- All others (perilune/trainer/options.lua lists them) get the trainer alone.

local class = require "perilune.class"

return class("TrainerCallback")
