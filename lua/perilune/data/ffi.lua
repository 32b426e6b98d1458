--- The data side of the engine: its public header data.h, read once, after perilune.h.

return require("perilune.engine").declare "data.h"
