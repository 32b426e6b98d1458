-- busted's helper, run before the first spec: puts this tree's Lua files on the path, where plain
-- luajit runs, and loads ffi and the engine once, before busted remembers what was loaded.
-- PERILUNE_TEST_DEVICE names the device that tensors are made on, for the op harness.

if not package.loaded["perilune.host"] then
  package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
end
require "ffi"
local pl = require "perilune"

local device = os.getenv "PERILUNE_TEST_DEVICE"
if device then
  local ok, err = pcall(pl.set_default_device, device)
  if not ok then
    print(("skipped: %s"):format(tostring(err)))
    os.exit(77) -- what CTest takes for a skip
  end
end
