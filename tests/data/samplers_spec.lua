-- Samplers: which samples, how often, in which order; the same for a seed and an epoch.
local pl = require "perilune"
local fails = require "tests.data.fails"
local data = pl.data

local function numbers(n) return data.TensorDataset(pl.arange(1, n)) end

-- The batches of an epoch.
local function batches(o, seed, epoch)
  o.seed = seed or 1
  local loader, out = data.DataLoader(o), {}
  loader:set_epoch(epoch or 1)
  for batch in loader:batches() do out[#out + 1] = batch[1]:totable() end
  assert.equal(loader:size(), #out)
  return out
end

local function order(sampler, n, seed, epoch)
  return batches({ dataset = numbers(n), sampler = sampler, batch_size = sampler:size() }, seed,
    epoch)[1]
end

local function counts(list)
  local seen = {}
  for _, i in ipairs(list) do seen[i] = (seen[i] or 0) + 1 end
  return seen
end

local function is_reproducible(sampler, n)
  assert.same(order(sampler, n, 1, 2), order(sampler, n, 1, 2))
  assert.are_not.same(order(sampler, n, 1, 2), order(sampler, n, 1, 3))
  assert.are_not.same(order(sampler, n, 1, 2), order(sampler, n, 2, 2))
end

describe("RandomSampler", function()
  it("takes fewer samples than there are, each once", function()
    local sampler = data.RandomSampler(numbers(50), { num_samples = 20 })
    assert.equal(20, sampler:size())
    for _, count in pairs(counts(order(sampler, 50))) do assert.equal(1, count) end
    is_reproducible(sampler, 50)
  end)

  it("takes more samples than there are in rounds", function()
    local list = order(data.RandomSampler(numbers(10), { num_samples = 25 }), 10)
    assert.equal(25, #list)
    for i = 1, 10 do
      local seen = counts(list)[i]
      assert.is_true(seen == 2 or seen == 3)
      assert.equal(1, counts({ unpack(list, 1, 10) })[i])
      assert.equal(1, counts({ unpack(list, 11, 20) })[i])
    end
    assert.are_not.same({ unpack(list, 1, 10) }, { unpack(list, 11, 20) })
  end)

  it("draws with replacement", function()
    local sampler = data.RandomSampler(numbers(10), { replacement = true, num_samples = 5000 })
    local seen = counts(order(sampler, 10))
    for i = 1, 10 do assert.is_true(seen[i] > 400 and seen[i] < 600, tostring(seen[i])) end
    is_reproducible(sampler, 10)
    assert.equal(10, data.RandomSampler(numbers(10), { replacement = true }):size())
  end)

  it("refuses what gives no samples", function()
    fails("argument", "'num_samples' must be", data.RandomSampler, numbers(3), { num_samples = 0 })
    local none = data.Subset(numbers(3), {})
    fails("argument", "the dataset has no samples", function()
      data.DataLoader(none, { sampler = data.RandomSampler(none, { num_samples = 3 }) }):batches()
    end)
  end)
end)

describe("SubsetRandomSampler", function()
  it("takes its samples once each", function()
    local sampler = data.SubsetRandomSampler { 2, 4, 6, 8, 10, 12, 14 }
    local list = order(sampler, 20)
    is_reproducible(sampler, 20)
    table.sort(list)
    assert.same({ 2, 4, 6, 8, 10, 12, 14 }, list)
  end)

  it("refuses positions that are none", function()
    fails("argument", "index 2 is 0", data.SubsetRandomSampler, { 1, 0 })
    fails("argument", "sampler asks for sample 9; the dataset has 1 to 3", order,
      data.SubsetRandomSampler { 9 }, 3)
  end)
end)

describe("WeightedRandomSampler", function()
  it("draws by weight, with replacement", function()
    local sampler = data.WeightedRandomSampler({ 0, 1, 0, 3, 6, 0 }, 6000)
    local seen = counts(order(sampler, 6))
    assert.is_nil(seen[1] or seen[3] or seen[6])
    assert.is_near(600, seen[2], 80)
    assert.is_near(1800, seen[4], 130)
    assert.is_near(3600, seen[5], 150)
    is_reproducible(sampler, 6)
    assert.same(order(sampler, 6), order(data.WeightedRandomSampler(
      pl.tensor { 0, 1, 0, 3, 6, 0 }, 6000), 6))
  end)

  it("draws each at most once without replacement, the heavy ones first", function()
    local first = { 0, 0, 0 }
    for epoch = 1, 600 do
      local sampler = data.WeightedRandomSampler({ 1, 2, 7, 0 }, 2, { replacement = false })
      local list = order(sampler, 4, 1, epoch)
      assert.are_not.equal(list[1], list[2])
      first[list[1]] = first[list[1]] + 1
    end
    assert.is_near(60, first[1], 25)
    assert.is_near(120, first[2], 35)
    assert.is_near(420, first[3], 40)
  end)

  it("refuses weights that are none", function()
    local make = data.WeightedRandomSampler
    fails("argument", "weight 2 must be a number, 0 or more, got %-1", make, { 1, -1 }, 3)
    fails("argument", "weight 1 must be a number, 0 or more, got 'x'", make, { "x" }, 3)
    fails("argument", "some weight must be above 0", make, { 0, 0 }, 3)
    fails("argument", "only 1 have a weight above 0", make, { 1, 0 }, 2, { replacement = false })
  end)
end)

describe("BucketBatchSampler", function()
  local lengths = {}
  for i = 1, 103 do lengths[i] = i * 37 % 50 + 1 end

  local function spread(lists)
    local sum = 0
    for _, list in ipairs(lists) do
      local low, high = math.huge, 0
      for _, i in ipairs(list) do
        low, high = math.min(low, lengths[i]), math.max(high, lengths[i])
      end
      sum = sum + high - low
    end
    return sum / #lists
  end

  local function run(o, seed, epoch)
    local sampler = data.BucketBatchSampler(lengths, 8, o)
    return batches({ dataset = numbers(103), batch_sampler = sampler }, seed, epoch)
  end

  it("gives every sample once, in batches of about one length", function()
    local lists = run { bucket_batches = 6 }
    local all = {}
    for _, list in ipairs(lists) do
      for _, i in ipairs(list) do all[#all + 1] = i end
    end
    table.sort(all)
    for i = 1, 103 do assert.equal(i, all[i]) end
    assert.is_true(spread(lists) < 12, tostring(spread(lists)))
    assert.is_true(spread(run { bucket_batches = 1 }) > 25)
    assert.same(lists, run { bucket_batches = 6 })
    assert.are_not.same(lists, run({ bucket_batches = 6 }, 1, 2))
    assert.are_not.same(lists, run({ bucket_batches = 6 }, 2, 1))
  end)

  it("shuffles the batches", function()
    local firsts, sorted = {}, {}
    for k, list in ipairs(run {}) do firsts[k], sorted[k] = lengths[list[1]], lengths[list[1]] end
    table.sort(sorted)
    assert.are_not.same(sorted, firsts)
  end)

  it("sorts all when nothing is shuffled", function()
    local last = 0
    for _, list in ipairs(run { shuffle = false }) do
      for _, i in ipairs(list) do
        assert.is_true(lengths[i] >= last)
        last = lengths[i]
      end
    end
  end)

  it("leaves out what is not full", function()
    local lists = run { drop_last = true, bucket_batches = 2 }
    assert.equal(12, #lists)
    for _, list in ipairs(lists) do assert.equal(8, #list) end
  end)

  it("wants a length for each sample", function()
    fails("argument", "length 2 must be a number, got 'x'", data.BucketBatchSampler, { 1, "x" }, 2)
    fails("argument", "there are 2 lengths, but the dataset has 3 samples", function()
      data.DataLoader(numbers(3), { batch_sampler = data.BucketBatchSampler({ 1, 2 }, 2) })
        :batches()
    end)
  end)
end)

describe("padding_collate", function()
  local function first(samples, o)
    local list = setmetatable({}, { __index = data.Dataset })
    function list.size() return #samples end
    function list.get(_, i)
      local sample = samples[i]
      if sample.x then return sample end
      return unpack(sample)
    end
    local step, pass = data.DataLoader(list, { batch_size = #samples,
      collate_fn = data.padding_collate(o) }):batches()
    return step(pass)
  end

  it("pads to the longest and says the lengths", function()
    local batch = first({ { pl.tensor { { 1, 2 } }, 7 },
      { pl.tensor { { 3, 4 }, { 5, 6 }, { 7, 8 } }, 8 }, { pl.zeros(0, 2), 9 } },
      { padding_value = -1 })
    assert.same({ { { 1, 2 }, { -1, -1 }, { -1, -1 } }, { { 3, 4 }, { 5, 6 }, { 7, 8 } },
      { { -1, -1 }, { -1, -1 }, { -1, -1 } } }, batch[1]:totable())
    assert.same({ 7, 8, 9 }, batch[2]:totable())
    assert.same({ 1, 3, 0 }, batch.lengths:totable())
    assert.equal("i64", batch.lengths.dtype)
    fails("argument", "did you mean 'lengths'", function() return batch.length end)
  end)

  it("takes lists of numbers, several fields, a fixed length", function()
    local batch = first({ { x = { 1, 2 }, y = { 0.5 }, name = "a" },
      { x = { 3 }, y = { 4, 5 }, name = "b" } }, { fields = { "x", "y" }, max_length = 3 })
    assert.same({ { 1, 2, 0 }, { 3, 0, 0 } }, batch.x:totable())
    assert.equal("i64", batch.x.dtype)
    assert.same({ { 0.5, 0, 0 }, { 4, 5, 0 } }, batch.y:totable())
    assert.equal("f32", batch.y.dtype)
    assert.same({ 2, 1 }, batch.lengths.x:totable())
    assert.same({ 1, 2 }, batch.lengths.y:totable())
    assert.same({ "a", "b" }, batch.name)
  end)

  it("refuses what does not go together", function()
    fails("shape", "rows of field '1' are 2 f32 in sample 1 of the batch and 3 f32 in sample 2",
      first, { { pl.ones(1, 2) }, { pl.ones(4, 3) } })
    fails("shape", "rows of field '1' are f32 in sample 1 of the batch and i64 in sample 2",
      first, { { pl.ones(1) }, { pl.arange(1, 2) } })
    fails("argument", "field '1' of sample 2 of the batch must be a tensor with rows", first,
      { { pl.ones(1) }, { 3 } })
    fails("shape", "a sample of 4 rows, above max_length 3", first, { { pl.ones(4) } },
      { max_length = 3 })
  end)
end)
