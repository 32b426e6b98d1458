--- Devices of a PJRT plug-in, under the name pjrt, and TPUs, which are such devices, under theirs.

local class = require "perilune.class"
local engine = require "perilune.engine"
local Accelerator = require "perilune.accelerator"

local PJRTAccelerator = class("PJRTAccelerator", Accelerator)

PJRTAccelerator.description = "any device with a PJRT plug-in (PERILUNE_PJRT_PLUGIN)"

function PJRTAccelerator:name()
  return "pjrt"
end

local TPUAccelerator = class("TPUAccelerator", PJRTAccelerator)

TPUAccelerator.description = "Google's TPUs, through libtpu"

function TPUAccelerator:is_available()
  local available, reason = PJRTAccelerator.is_available(self)
  if not available then return false, reason end
  local what = engine.device_description(engine.open "pjrt:0")
  if what == "PJRT: tpu" then return true end
  return false, ("the plug-in that PERILUNE_PJRT_PLUGIN names drives no TPU (%s)"):format(what)
end

function PJRTAccelerator:register_accelerators(registry)
  registry:register("pjrt", PJRTAccelerator, { description = PJRTAccelerator.description })
  registry:register("tpu", TPUAccelerator, { description = TPUAccelerator.description })
end

return PJRTAccelerator
