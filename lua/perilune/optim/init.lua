--- pl.optim: optimizers; members load on first use.

return require("perilune.lazy")("perilune.optim", { RMSprop = "rmsprop" })
