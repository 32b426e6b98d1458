--- The base class of callbacks. It defines no hook: one that a subclass does not define is never
-- called. Hooks are `on_<event>(self, trainer, ...)`, with what the event gives:
--
--     on_train_step_start(batch)        on_train_batch_loss(batch, output)
--     on_train_step_end(batch, output, step)
--     on_eval_step_start(batch)         on_eval_step_end(batch, output, step)
--     on_eval_epoch_start(is_intermediate), on_eval_epoch_end(is_intermediate)
--     on_predict_step_start(batch)      on_predict_step_end(batch, outputs, step)
--     on_log(values, names)             values by name, names in order
--     on_stop_training(reason)          on_exception(err)
--     on_non_finite_loss(loss, update, step)
--
-- All others (perilune/trainer/options.lua lists them) get the trainer alone. Callbacks with a
-- higher field `priority` come first; it is 0 if there is none, and that of loggers is below, so
-- that they see what the others have measured.

local class = require "perilune.class"

return class("TrainerCallback")
