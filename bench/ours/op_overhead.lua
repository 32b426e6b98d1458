-- One op on one element, the same recording a gradient, and the smallest backward(). Prints seconds
-- each; closing the scope that owns the results is part of them.

package.path = "./bench/ours/?.lua;" .. package.path
local pl = require "perilune"
local context = require "perilune.context"
local engine = require "perilune.engine"
local quiet = require "quiet"

pl.engine.set_threads(1)
local a, b = pl.ones(1):keep(), pl.ones(1):keep()
local w = pl.ones(1):keep():requires_grad_(true)
local scope = context.Scope()

local function adding(x)
  return function(n)
    while n > 0 do
      scope:enter()
      for _ = 1, math.min(n, 500) do
        local _ = x:add(b)
      end
      scope:close()
      n = n - 500
    end
  end
end

local function backward_seconds(n)
  local outputs = {}
  scope:enter()
  for i = 1, n do outputs[i] = w:mul(b) end
  local begin = engine.clock()
  for i = 1, n do outputs[i]:backward() end
  local seconds = (engine.clock() - begin) / n
  scope:close()
  return seconds
end

print("op_overhead", quiet.seconds_per_call(adding(a)))
print("op_overhead_grad", quiet.seconds_per_call(adding(w)))
backward_seconds(500)
local samples = {}
for i = 1, 9 do samples[i] = backward_seconds(500) end
print("backward_overhead", quiet.median(samples))
