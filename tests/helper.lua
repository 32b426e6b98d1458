-- busted's helper, run before the first spec: puts this tree's Lua files on the path and loads ffi
-- and the engine once, before busted remembers what was loaded.

package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
require "ffi"
require "perilune"
