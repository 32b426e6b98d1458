--- The data side of the engine: its public header data.h, read once, after perilune.h.

local ffi = require "ffi"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local paths = require "perilune.paths"

local path = paths.header:gsub("perilune%.h$", "data.h")
local file, reason = io.open(path, "r")
if not file then errors.raise("io", "the engine's header cannot be read: " .. reason) end
ffi.cdef(file:read "*a")
file:close()

return engine.C
