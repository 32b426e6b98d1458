--- The side of the engine that keeps files: its public header io.h, read once, after perilune.h.

local ffi = require "ffi"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local paths = require "perilune.paths"

local path = paths.header:gsub("perilune%.h$", "io.h")
local file, reason = io.open(path, "r")
if not file then errors.raise("io", "the engine's header cannot be read: " .. reason) end
ffi.cdef(file:read "*a")
file:close()

return engine.C
