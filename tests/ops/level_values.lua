-- Run as a process of its own with PERILUNE_CPU set: the values of every op at that level of
-- kernels, dense and strided. Prints the failures; exit code 0 means none.

package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
require("perilune.strict").on()   -- as in scripts: the generated functions read no global
local ops = require "perilune.ops"
local check = require "tests.ops.check"
local samples = require "tests.ops.samples"

local failures = 0
for _, row in ipairs(ops.list) do
  for _, sample in ipairs(samples[row.name] or {}) do
    local options = sample[3] or {}
    for _, dtype in ipairs{ "f32", "f64", "bf16", "f16" } do
      for _, layout in ipairs{ "dense", "stepped" } do
        if not options.wrong and not (options.dense and layout ~= "dense") then
          local ok, err = pcall(check.value, row, sample, { dtype = dtype, layout = layout })
          if not ok then
            failures = failures + 1
            print(tostring(err))
          end
        end
      end
    end
  end
end
os.exit(failures == 0 and 0 or 1)
