-- A variational autoencoder of Fashion-MNIST: two losses tracked by name, and a weight between them
-- that grows while the model learns.
--
--   command    build/perilune recipes/vae.lua
--   hardware   any CPU; no accelerator is used
--   time       31 s for 10 epochs on one core of an AMD EPYC (Zen 4)
--   expect     a loss of 245 nats for an image of the test set
--
-- --images FILE shows clothes that do not exist. --help lists the options.

local pl = require "perilune"
local nn, optim, data, recipe = pl.nn, pl.optim, pl.data, pl.recipe

local options = recipe.options("Trains a variational autoencoder of Fashion-MNIST.", {
  { "epochs", 10 },
  { "batch_size", 128, type = "integer", min = 1, doc = "images of a training batch" },
  { "lr", 0.001, min = 0, doc = "learning rate" },
  { "latent", 20, type = "integer", min = 1, doc = "numbers that stand for an image" },
  { "warmup", 1000, type = "integer", min = 1, doc = "updates until the weight of kl is 1" },
  { "images", type = "string", doc = "file for 64 images of the decoder, a PGM" },
})

local function images(split)
  return recipe.limited(data.FashionMNIST{ root = options.data, split = split }, options.limit)
end

local VAE = pl.class("VAE", nn.Module)

function VAE:init()
  nn.Module.init(self)
  self.encoder = nn.Sequential{ nn.Flatten(), nn.Linear(784, 400), nn.ReLU() }
  self.mean = nn.Linear(400, options.latent)
  self.log_variance = nn.Linear(400, options.latent)
  self.decoder = nn.Sequential{ nn.Linear(options.latent, 400), nn.ReLU(), nn.Linear(400, 784) }
end

function VAE:forward(image)
  local features = self.encoder(image)
  local mean, log_variance = self.mean(features), self.log_variance(features)
  local noise = pl.randn(mean.shape)
  return self.decoder(mean + noise * (log_variance / 2):exp()), mean, log_variance
end

-- What one image costs, in nats: its pixels given the code, and the code.
local VAETrainer = pl.class("VAETrainer", pl.Trainer)

local function calculate_loss(self, batch, kl_weight)
  local image = batch[1]
  local n = image:size(1)
  local pixels, mean, log_variance = self.model(image)
  local reconstruction = nn.functional.binary_cross_entropy_with_logits(pixels, image:flatten(2),
    { reduction = "sum" }) / n
  local kl = (mean:square() + log_variance:exp() - log_variance - 1):sum() / (2 * n)
  return {
    loss = reconstruction + kl * kl_weight, model_outputs = pixels, batch_size = n,
    losses = { { "reconstruction", reconstruction }, { "kl", kl } },
  }
end

function VAETrainer:calculate_train_batch_loss(batch)
  return calculate_loss(self, batch, math.min(1, self.update / options.warmup))
end

function VAETrainer:calculate_eval_batch_loss(batch)
  return calculate_loss(self, batch, 1)
end

local model = VAE()
local trainer = VAETrainer{
  model = model,
  optimizer = optim.Adam(model:parameters(), { lr = options.lr }),
  quiet = options.quiet,
}
local history = trainer:train{
  train_dataset = images "train", num_epochs = options.epochs,
  per_device_batch_size = options.batch_size,
}
local result = trainer:evaluate{ dataset = images "test", per_device_batch_size = 128 }
trainer:print(("\ntest loss %.2f, %.2f of the pixels and %.2f of the code"):format(
  result.evaluation_loss, result.evaluation_reconstruction, result.evaluation_kl))

if options.images then
  local pixels = pl.no_grad(model.decoder, pl.randn(64, options.latent)):sigmoid()
  recipe.write_images(options.images, pixels:reshape(64, 28, 28))
end

recipe.write_results(options, {
  test_loss = result.evaluation_loss,
  test_reconstruction = result.evaluation_reconstruction,
  test_kl = result.evaluation_kl,
  train_kl = history:get_metric_values "train_kl_epoch",
  train_reconstruction = history:get_metric_values "train_reconstruction_epoch",
})
