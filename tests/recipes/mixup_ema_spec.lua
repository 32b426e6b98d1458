local support = require "tests.recipes.support"

describe("recipes/mixup_ema.lua", function()
  for _, mix in ipairs{ "mixup", "cutmix", "none" } do
    it("learns with --mix " .. mix .. " and keeps the averages", function()
      local path = os.tmpname()
      local result = support.results("mixup_ema", ("--mix %s --limit 1000 --epochs 3 --decay 0.8 "
        .. "--seed 1 --quiet --save-path %s"):format(mix, path))
      os.remove(path)
      assert.is_true(result.test_accuracy > 0.4, result.test_accuracy)
    end)
  end
end)
