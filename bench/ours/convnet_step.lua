-- The training step of a convolutional classifier, batch 64 in memory: two blocks of two 3x3
-- convolutions with batch norm and ReLU, each block pooled, then 128 units; SGD with momentum.
-- Usage: convnet_step.lua THREADS; prints seconds per step.

package.path = "./bench/ours/?.lua;" .. package.path
local pl = require "perilune"
local classifier = require "classifier"
local quiet = require "quiet"
local nn = pl.nn

local function conv(from, to)
  return nn.Sequential{ nn.Conv2d(from, to, 3, { padding = 1 }), nn.BatchNorm2d(to), nn.ReLU() }
end

pl.engine.set_threads(tonumber(arg[1]))
pl.manual_seed(0)
local model = nn.Sequential{
  conv(1, 32), conv(32, 32), nn.MaxPool2d(2), conv(32, 64), conv(64, 64), nn.MaxPool2d(2),
  nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10),
}
local optimizer = pl.optim.SGD(model:parameters(), { lr = 0.001, momentum = 0.9 })
local steps = classifier.loop(model, optimizer, classifier.random_batches(8, 64))
steps(2)
print("convnet_step", quiet.seconds_per_call(steps))
