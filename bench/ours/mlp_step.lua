-- The training step with batches in memory. Usage: mlp_step.lua THREADS; prints seconds per step.

package.path = "./bench/ours/?.lua;" .. package.path
local pl = require "perilune"
local classifier = require "classifier"
local quiet = require "quiet"

pl.engine.set_threads(tonumber(arg[1]))
local model, optimizer = classifier.new()
local steps = classifier.loop(model, optimizer, classifier.random_batches(64))
steps(200)
print("mlp_step", quiet.seconds_per_call(steps))
