-- Cross-validation: every sample validates once, and trains in all other folds.
local pl = require "perilune"
local errors = require "perilune.errors"
local data = pl.data

local function numbers(dataset)
  local list = {}
  for i = 1, dataset:size() do list[i] = dataset:get(i):item() end
  return list
end

local function sorted(list)
  table.sort(list)
  return list
end

describe("k_fold", function()
  local seven = data.TensorDataset(pl.arange(1, 7))

  it("gives every sample to one validation set and to the other folds' training", function()
    local all = {}
    for fold, train, valid in data.k_fold(seven, 3) do
      assert.equal(fold == 1 and 3 or 2, valid:size())
      local both = numbers(train)
      for _, x in ipairs(numbers(valid)) do
        all[#all + 1], both[#both + 1] = x, x
      end
      assert.same({ 1, 2, 3, 4, 5, 6, 7 }, sorted(both))
      assert.is_truthy(train:source())
    end
    assert.same({ 1, 2, 3, 4, 5, 6, 7 }, sorted(all))
  end)

  it("draws from the seed", function()
    local function first(seed)
      local next_fold = data.k_fold(seven, 2, { seed = seed })
      local _, _, valid = next_fold(nil, 0)
      return numbers(valid)
    end
    assert.same(first(1), first(1))
    assert.not_same(first(1), first(2))
  end)

  it("refuses more folds than samples", function()
    local ok, e = pcall(data.k_fold, seven, 8)
    assert.is_false(ok)
    assert.is_true(errors.is(e))
    assert.matches("8 folds of a dataset of 7 samples", e.message)
  end)
end)
