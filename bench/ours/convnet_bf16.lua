-- The convnet of classifier.lua through the Trainer, in "32" and "bf16-mixed" in turn: epochs of 10
-- batches of 64 images in memory, one thread. Prints the bf16 share of an epoch's seconds (median
-- of neighbours) and of the memory that a step takes beyond what lies there before it, at its peak.

package.path = "./bench/ours/?.lua;" .. package.path
local pl = require "perilune"
local classifier = require "classifier"
local quiet = require "quiet"

local EPOCHS, BATCH = 3, 64

pl.engine.set_threads(1)
pl.manual_seed(0)
local images = pl.data.TensorDataset(pl.rand(10 * BATCH, 1, 28, 28):keep(),
  pl.randint(1, 10, { 10 * BATCH }):keep())

--- A function that trains for an epoch.
local function epoch_in(precision)
  local model, optimizer = classifier.convnet()
  local trainer = pl.Trainer{ model = model, loss_func = pl.nn.CrossEntropyLoss(),
    optimizer = optimizer, precision = precision, callbacks = {}, quiet = true }
  return function()
    trainer:train{ train_dataset = images, num_epochs = 1, per_device_batch_size = BATCH }
  end
end

--- What an epoch takes at its peak. The pool's peak only grows: the smaller one comes first.
local function peak_of(epoch)
  collectgarbage()
  local before = pl.engine.memory().in_use
  epoch()
  return pl.engine.memory().peak - before
end

local half, full = epoch_in("bf16-mixed"), epoch_in("32")
local half_bytes = peak_of(half)
local full_bytes = peak_of(full)
local ratios, patience = {}, { left = 20 }
for i = 1, EPOCHS do
  local seconds = quiet.sample(half, nil, patience)
  ratios[i] = seconds / quiet.sample(full, nil, patience)
end
print("convnet_bf16_memory", half_bytes / full_bytes)
print("convnet_bf16_time", quiet.median(ratios))
