--- What happens to samples (`transform =` of datasets) and to batches (`batch_transform =` of
-- loaders). Names, defaults and numbers are torchvision's.

return require("perilune.lazy")("perilune.data.transforms", {
  to_float = "image", normalize = "image", resize = "image", random_crop = "image",
  horizontal_flip = "image", random_erasing = "image", mixup = "mix", cutmix = "mix",
})
