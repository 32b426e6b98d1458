--- pl.finetuning: training parts of a model; members load on first use.

return require("perilune.lazy")("perilune.finetuning", {})
