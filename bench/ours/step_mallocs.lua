-- Calls of malloc and its family in a training step in steady state, by whatever library. Run with
-- libbench_malloc_count.so preloaded; prints the mean over 1,000 steps.

package.path = "./bench/ours/?.lua;" .. package.path
local ffi = require "ffi"
local pl = require "perilune"
local classifier = require "classifier"

ffi.cdef "int64_t bench_malloc_calls(void);"
pl.engine.set_threads(tonumber(arg[1]))
local model, optimizer = classifier.new()
local steps = classifier.loop(model, optimizer, classifier.random_batches(64))
steps(1000)
local before = ffi.C.bench_malloc_calls()
steps(1000)
print("step_mallocs", tonumber(ffi.C.bench_malloc_calls() - before) / 1000)
