local support = require "tests.recipes.support"

-- How the first batches are mixed, and whether the best averages are what is evaluated at last.
local mixing = [[
seen.shares, seen.whole_pixels = {}, true
function watch:on_train_step_start(trainer, batch)
  if trainer.update > 1 then return end
  local images, targets = batch[1], batch[2]
  if targets:dim() > 1 then
    for i, row in ipairs(targets:max(-1):totable()) do seen.shares[i] = row end
    seen.sums = (targets:sum(-1) - 1):abs():max():item()
  end
  local bytes = (images * 0.353 + 0.286) * 255
  seen.whole_pixels = (bytes - bytes:round()):abs():max():item() < 1e-3
end
function watch:on_evaluation_run_start(trainer)
  local saved = pl.safetensors.load(arg.saved)
  seen.evaluates_averages = same(saved["0.weight"], trainer.model[1].weight)
end
]]

local function observed(mix, more)
  local path = os.tmpname()
  local arguments = ("--mix %s --seed 1 --quiet --save-path %s %s"):format(mix, path, more)
  local seen, result = support.observed("mixup_ema", arguments, ("arg.saved = %q\n%s"):format(path,
    mixing))
  os.remove(path)
  return seen, result
end

describe("recipes/mixup_ema.lua", function()
  for _, mix in ipairs{ "mixup", "cutmix", "none" } do
    it("learns with --mix " .. mix .. " and keeps the averages", function()
      local seen, result = observed(mix, "--limit 1000 --epochs 3 --decay 0.8")
      assert.is_true(result.test_accuracy > 0.4, result.test_accuracy)
      assert.is_true(seen.evaluates_averages)
      assert.are.equal(mix ~= "none", #seen.shares > 0)
      assert.are.equal(mix ~= "mixup", seen.whole_pixels)
    end)
  end

  it("mixes as much as --alpha says", function()
    local seen = observed("mixup", "--limit 64 --epochs 1 --alpha 1000")
    assert.is_true(seen.sums < 1e-6)
    for _, share in ipairs(seen.shares) do
      assert.is_true(share < 0.6 or share == 1, share)   -- 1: both were of one class
    end
  end)
end)
