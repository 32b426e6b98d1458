-- An epoch of 50,000 images of Fashion-MNIST through Trainer and DataLoader, shuffled, batch 32,
-- one thread, in turn with a plain loop of the same steps on batches already in memory. Prints
-- seconds of both, and the median of the ratio of neighbours.

package.path = "./bench/ours/?.lua;" .. package.path
local pl = require "perilune"
local classifier = require "classifier"
local quiet = require "quiet"

local EPOCHS = 5

pl.engine.set_threads(1)
local data = pl.data
local train = data.random_split(data.FashionMNIST{ split = "train" }, { 50000, 10000 })

local batches = {}
for batch in data.DataLoader(train, { batch_size = 32 }):batches() do
  batches[#batches + 1] = { batch[1]:keep(), batch[2]:keep() }
end
local bare_model, bare_optimizer = classifier.new()
local bare_steps = classifier.loop(bare_model, bare_optimizer, batches)

local model, optimizer = classifier.new()
local stopwatch = pl.callbacks.StopwatchCallback()
local callbacks = pl.callbacks.get_default_callbacks()
callbacks[#callbacks + 1] = stopwatch
local trainer = pl.Trainer{
  model = model, loss_func = pl.nn.CrossEntropyLoss(), optimizer = optimizer,
  callbacks = callbacks, quiet = true,
}

local function epoch()
  trainer:train{ train_dataset = train, num_epochs = 1, per_device_batch_size = 32 }
end

epoch()
bare_steps(#batches)
local through, bare, ratios, patience = {}, {}, {}, { left = 20 }
for i = 1, EPOCHS do
  quiet.sample(epoch, 1, patience)
  through[i] = stopwatch.seconds_per_epoch[#stopwatch.seconds_per_epoch]
  bare[i] = quiet.sample(bare_steps, #batches, patience)
  ratios[i] = through[i] / bare[i]
end
print("epoch", quiet.median(through))
print("bare", quiet.median(bare))
print("epoch_over_bare", quiet.median(ratios))
