--- The base class of accelerators written in Lua alone: no library, no compiler. `kernels` holds a
-- function for each op the author cares for; the rest runs as composites of those, and what is no
-- composite runs on the CPU. Tensors lie in the host's memory.
--
--     local Luna = pl.class("Luna", pl.LuaAccelerator)
--     function Luna:name() return "luna" end
--     Luna.kernels = {}
--     function Luna.kernels.neg(call)
--       local x, y = call.inputs[1], call.outputs[1]
--       if x.dtype ~= "f32" then return false end        -- the CPU computes it
--       for i = 0, y.count - 1 do y.data[i] = -x.data[i] end
--     end
--
-- A kernel gets { op =, device =, inputs =, outputs =, attributes = } in the order of the op's
-- signature. An operand is { data = a typed pointer, dtype =, count =, sizes = }, row-major without
-- gaps; an absent one is nil, a list a list. Inputs are broadcast to the output where the op does
-- that. Attributes are by name, positions from 1. A kernel fills the outputs, and the inputs that
-- the op updates, or returns false before it touches one. It may not use tensors of its device.

local class = require "perilune.class"
local queue = require "perilune.queue"
local Accelerator = require "perilune.accelerator"

local LuaAccelerator = class("LuaAccelerator", Accelerator)

--- Functions by the name of the op.
LuaAccelerator.kernels = {}

--- How many devices there are; all of them lie in the host's memory.
LuaAccelerator.device_count = 1

function LuaAccelerator:is_available()
  return true
end

function LuaAccelerator:auto_device_count()
  return self.device_count
end

--- Make the devices known to the engine, with the kernels as they are now. Called by whoever opens
-- one; call it again for kernels of other ops.
-- @raise argument: a kernel of no op, or what is no function
function LuaAccelerator:define()
  queue.define(self:name(), self.device_count, self.kernels)
end

--- A device whose kernel failed in an earlier run starts anew.
function LuaAccelerator:setup_device(device)
  self:define()
  Accelerator.setup_device(self, device)
end

return LuaAccelerator
