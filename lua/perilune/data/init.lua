--- Datasets, samplers and the loader that makes batches of them; each name lies in its own file.

return require("perilune.lazy")("perilune.data")
