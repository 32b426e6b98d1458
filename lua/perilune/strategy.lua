--- Who holds what, and the one way from the Trainer to hardware: a strategy puts an accelerator
-- (which devices), a precision (which numbers) and a process group (who talks) together. The base
-- class does everything for one process with one device; a subclass overrides what many need.
--
--     Trainer{...}    accepts, connect
--     each run        setup_environment, then data and state are prepared, then setup;
--                     batch_to_device and forward for every batch; in training backward for every
--                     batch, finish_gradients, clip_gradients and optimizer_step for every update;
--                     teardown at the end, also of what failed

local batches = require "perilune.data.batch"
local class = require "perilune.class"
local ProcessGroup = require "perilune.process_group"

local Strategy = class("Strategy")

--- A number makes it a candidate for strategy = "auto", where the one with the highest is taken of
-- those that accept the number of devices.
Strategy.priority = nil

function Strategy:init() end

--- Whether it can use so many devices; called with the class as `self` too.
function Strategy:accepts(count)
  return count == 1
end

--- Who talks to whom.
-- @return a ProcessGroup
function Strategy:create_process_group()
  return ProcessGroup()
end

--- Take over what it composes; `root_device` is the device of this process from here on.
-- @param accelerator an instance
-- @param precision an instance
-- @param parallel_devices names of the devices of this machine, one for each process
function Strategy:connect(accelerator, precision, parallel_devices)
  self.accelerator, self.precision = accelerator, precision
  self.parallel_devices = parallel_devices
  self.process_group = self:create_process_group()
  self.root_device = parallel_devices[self.process_group.local_rank + 1]
end

---------------------------------------------------------------------------------------------------
-- A run.

--- The device of this process is made ready.
function Strategy:setup_environment()
  self.accelerator:setup_device(self.root_device)
end

--- Data and state are prepared: the model goes where it belongs.
function Strategy:setup(trainer)
  self.accelerator:setup(trainer)
  self:place_module(trainer.model)
end

--- Convert a module and move it to the device; its parameters stay the same tensors. A model that
-- is no module stays where it is.
function Strategy:place_module(module)
  if not module.to then return end
  self.precision:convert_module(module)
  module:to(self.root_device)
end

--- Give everything back. Called once at the end of every run, failed ones included.
function Strategy:teardown()
  self.precision:teardown()
  self.accelerator:teardown()
end

---------------------------------------------------------------------------------------------------
-- Batches.

--- The options that a loader gets before those of the Trainer and the user.
function Strategy:dataloader_options()
  return { device = self.root_device, process_group = self.process_group }
end

--- A batch on the device and in the dtype of the run.
-- @return the batch itself where nothing has to change
function Strategy:batch_to_device(batch)
  if self.root_device ~= "cpu" then batch = batches.to_device(batch, self.root_device) end
  return self.precision:convert_batch(batch)
end

--- Run a forward pass.
-- @param f one of the trainer's calculate_ methods
-- @return f(trainer, batch)
function Strategy:forward(f, trainer, batch)
  return self.precision:forward(f, trainer, batch)
end

---------------------------------------------------------------------------------------------------
-- Gradients and updates.

--- Find the gradients of a batch's part in its update.
function Strategy:backward(loss)
  self.precision:backward(loss)
end

--- All batches of an update have been through backward: make its gradients complete.
function Strategy:finish_gradients(optimizer)
  self.precision:unscale_gradients(optimizer)
end

--- Limit the gradients; nil is no limit.
-- @return the norm before, where there is a limit on it
function Strategy:clip_gradients(optimizer, value, norm)
  return self.precision:clip_gradients(optimizer, value, norm)
end

--- Make the update.
-- @return false if it was left out
function Strategy:optimizer_step(optimizer)
  return self.precision:optimizer_step(optimizer)
end

---------------------------------------------------------------------------------------------------
-- All processes together; each must make the same calls.

--- Combine a tensor of all processes.
-- @param op "sum" or "mean"
function Strategy:reduce(tensor, op)
  return self.process_group:reduce(tensor, op)
end

--- Wait until all processes are here.
function Strategy:barrier()
  self.process_group:barrier()
end

--- A value of one process, on all.
-- @param source the rank that has it, 0 if not given
function Strategy:broadcast(value, source)
  return self.process_group:broadcast(value, source)
end

return Strategy
