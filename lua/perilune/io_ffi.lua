--- The side of the engine that keeps files: its public header io.h, read once, after perilune.h.

return require("perilune.engine").declare "io.h"
