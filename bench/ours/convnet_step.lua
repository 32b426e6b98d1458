-- The training step of the convnet of classifier.lua, batch 64 in memory.
-- Usage: convnet_step.lua THREADS; prints seconds per step.

package.path = "./bench/ours/?.lua;" .. package.path
local pl = require "perilune"
local classifier = require "classifier"
local quiet = require "quiet"

pl.engine.set_threads(tonumber(arg[1]))
local model, optimizer = classifier.convnet()
local steps = classifier.loop(model, optimizer, classifier.random_batches(8, 64))
steps(2)
print("convnet_step", quiet.seconds_per_call(steps))
