--- Names of hardware that people know and that may not be here: what each is and what it takes, so
-- that asking for one is never answered with "unknown".

local library = "libperilune_%s.so beside the engine or in a folder that PERILUNE_ACCELERATORS "
  .. "names (docs/accelerators.md tells how such a device is made)"

local hardware = {
  cuda = "NVIDIA's GPUs need the driver and ",
  rocm = "AMD's GPUs need the ROCm driver and ",
  mps = "Apple's GPUs need macOS with Metal and ",
  tpu = "Google's TPUs need libtpu.so, which speaks PJRT, and ",
  hpu = "Intel's Gaudi needs its SynapseAI driver and ",
  ipu = "Graphcore's IPUs need the Poplar SDK and ",
  npu = "Ascend's NPUs need the CANN toolkit and ",
  mlu = "Cambricon's MLUs need the Neuware SDK and ",
  xpu = "an XPU needs its driver and ",
  opencl = "OpenCL devices need the driver of their vendor and ",
}

-- Other names of the same.
local same = { hip = "rocm", metal = "mps", xla = "tpu", hip_gpu = "rocm", nvidia = "cuda" }

local unreachable = {}

--- What it would take to use some hardware.
-- @return a sentence, or nil for a name that nobody knows
function unreachable.explain(name)
  local known = same[name] or name
  local needs = hardware[known]
  return needs and needs .. library:format(known)
end

--- The names, for "did you mean".
function unreachable.names()
  local names = {}
  for name in pairs(hardware) do names[#names + 1] = name end
  return names
end

return unreachable
