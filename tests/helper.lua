-- busted's helper, run before the first spec: puts this tree's Lua files on the path, where plain
-- luajit runs, and loads ffi and the engine once, before busted remembers what was loaded.

if not package.loaded["perilune.host"] then
  package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
end
require "ffi"
require "perilune"
