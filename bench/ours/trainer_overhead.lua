-- An epoch of the quick start (Fashion-MNIST, batch 32, one thread) through the Trainer with the
-- default callbacks, in turn with a plain `for` loop of the same steps over the same DataLoader.
-- Prints the median of the ratio of neighbours.

package.path = "./bench/ours/?.lua;" .. package.path
local pl = require "perilune"
local classifier = require "classifier"
local quiet = require "quiet"

local EPOCHS = 7

pl.engine.set_threads(1)
local data = pl.data
local train = data.random_split(data.FashionMNIST{ split = "train" }, { 50000, 10000 })

local bare_model, bare_optimizer = classifier.new()
local loader = data.DataLoader(train, { batch_size = 32, shuffle = true })
local bare_steps = classifier.loader_loop(bare_model, bare_optimizer, loader)

local model, optimizer = classifier.new()
local trainer = pl.Trainer{
  model = model, loss_func = pl.nn.CrossEntropyLoss(), optimizer = optimizer,
}

local function epoch()
  trainer:train{ train_dataset = train, num_epochs = 1, per_device_batch_size = 32 }
end

epoch()
bare_steps()
local ratios, patience = {}, { left = 20 }
for i = 1, EPOCHS do
  local through = quiet.sample(epoch, 1, patience)
  ratios[i] = through / quiet.sample(bare_steps, 1, patience)
end
print("trainer_overhead", quiet.median(ratios))
