--- pl.schedulers: what changes a learning rate, or another field of parameter groups, from update
-- to update; members load on first use.

return require("perilune.lazy")("perilune.schedulers", {})
