--- The pretend device of accelerators/xpu, as the Trainer sees it; only its name chooses it.

local pl = require "perilune"

local XPUAccelerator = pl.class("XPUAccelerator", pl.Accelerator)

XPUAccelerator.description = "a pretend device with memory and a stream of its own"

function XPUAccelerator:name()
  return "xpu"
end

return XPUAccelerator
