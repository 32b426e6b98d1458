--- Which numbers a run computes with: the base class, which is also precision = "32", and leaves
-- modules and batches as they are. A subclass overrides what differs; the strategy calls it:
--
--     convert_module      before a module of the trainer moves to the device, at the start of a run
--     convert_batch       every batch, on its device
--     forward             around each calculate_*, so that it can set up autocasting
--     backward            each batch
--     unscale_gradients   once an update, when its gradients are complete, before anyone sees them
--     clip_gradients      once an update
--     optimizer_step      once an update; may refuse it
--     teardown            at the end of a run
--
-- One with a state (a loss scale) has state_dict and load_state_dict, and training states keep it.

local class = require "perilune.class"
local gradients = require "perilune.trainer.gradients"

local Precision = class("Precision")

--- What run_config.mixed_precision says: "no", or the half dtype of autocast ops.
Precision.mixed_precision = "no"

function Precision:init() end

--- Bring a module's parameters and buffers to the dtype they are kept in; the same tensors stay.
function Precision:convert_module(_) end

--- A batch in the dtype the model takes.
-- @return the batch, or another one with some tensors replaced
function Precision:convert_batch(batch)
  return batch
end

--- Run a forward pass.
-- @param f one of the trainer's calculate_ methods
-- @return f(trainer, batch)
function Precision:forward(f, trainer, batch)
  return f(trainer, batch)
end

--- Find the gradients of a batch's part in its update.
function Precision:backward(loss)
  loss:backward()
end

--- Undo what backward multiplied gradients with.
function Precision:unscale_gradients(_) end

--- Limit the gradients; nil is no limit.
-- @param value of every element
-- @param norm of all gradients together
-- @return the norm before, where there is a limit on it
function Precision:clip_gradients(optimizer, value, norm)
  if value then gradients.clip_value(gradients.list(optimizer), value) end
  return norm and gradients.clip_norm(gradients.list(optimizer), norm)
end

--- Make the update.
-- @return false if it was left out; schedulers do not follow it then
function Precision:optimizer_step(optimizer)
  optimizer:step()
  return true
end

function Precision:teardown() end

return Precision
