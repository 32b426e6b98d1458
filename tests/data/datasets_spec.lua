-- Datasets made of tensors and of other datasets, and their sources.
local pl = require "perilune"
local fails = require "tests.data.fails"
local class, data = pl.class, pl.data

local function numbers(n)
  return data.TensorDataset(pl.arange(1, n))
end

-- The samples of a dataset of numbers, by get and by its source.
local function values(ds)
  local by_get, by_source = {}, {}
  local source = ds:source()
  for i = 1, ds:size() do
    by_get[i] = (ds:get(i)):item()
    by_source[i] = source:read(i):item()
  end
  assert.same(by_get, by_source)
  return by_get
end

describe("TensorDataset", function()
  it("gives the rows of tensors of any shape and dtype", function()
    local x = pl.randn(5, 2, 3)
    local ds = data.TensorDataset(x, pl.tensor({ 5, 4, 3, 2, 1 }, { dtype = "u8" }))
    assert.equal(5, ds:size())
    local row, label = ds:get(4)
    assert.same(x[4]:totable(), row:totable())
    assert.equal(2, label:item())
    assert.equal("u8", label.dtype)
  end)

  it("shares memory with a contiguous tensor, and lives longer than its scope", function()
    local x, ds = pl.zeros(3), nil
    pl.scope(function()
      local inside = pl.ones(3)
      ds = data.TensorDataset(x, inside)
    end)
    x:fill_(7)
    local a, b = ds:get(2)
    assert.equal(7, a:item())
    assert.equal(1, b:item())
  end)

  it("takes a view that is not contiguous", function()
    local x = pl.tensor { { 1, 2 }, { 3, 4 } }
    local ds = data.TensorDataset(x:t())
    assert.same({ 2, 4 }, ds:get(2):totable())
    assert.same({ 2, 4 }, ds:source():read(2):totable())
  end)

  it("refuses what has no rows or not as many", function()
    fails("argument", "one tensor or more", data.TensorDataset)
    fails("argument", "argument 2 must be a tensor, got 3", data.TensorDataset, pl.ones(2), 3)
    fails("shape", "argument 1 has no rows", data.TensorDataset, pl.scalar(1))
    fails("shape", "tensor 2 has 3 rows and tensor 1 has 2", data.TensorDataset, pl.ones(2),
      pl.ones(3))
  end)
end)

describe("Subset and ConcatDataset", function()
  it("compose, and their sources with them", function()
    local subset = data.Subset(numbers(6), { 6, 2, 2 })
    assert.same({ 6, 2, 2 }, values(subset))
    assert.equal(6, subset:index(1))
    local joined = data.ConcatDataset({ subset, numbers(2) })
    assert.same({ 6, 2, 2, 1, 2 }, values(joined))
    assert.same({ 2, 6, 2 }, values(data.Subset(joined, { 5, 1, 3 })))
    assert.same({ 2, 1, 6, 2, 2, 1, 2 },
      values(data.ConcatDataset({ data.Subset(joined, { 2, 4 }), joined })))
  end)

  it("keep the source as long as those below keep theirs", function()
    local subset = data.Subset(data.ConcatDataset({ numbers(2), numbers(3) }), { 4, 1 })
    assert.equal(subset:source(), subset:source())
  end)

  it("refuse positions that the dataset does not have", function()
    fails("argument", "Subset: index 2 is 4; positions are integers from 1 to 3", data.Subset,
      numbers(3), { 1, 4 })
    fails("argument", "index 1 is 0", data.Subset, numbers(3), { 0 })
    fails("argument", "index 1 is 1.5", data.Subset, numbers(3), { 1.5 })
    local subset = data.Subset(numbers(3), { 1, 2 })
    fails("argument", "there is no sample 3", subset.get, subset, 3)
    fails("argument", "one dataset or more", data.ConcatDataset, {})
    fails("argument", "entry 2 is no dataset", data.ConcatDataset, { numbers(1), { 1 } })
  end)

  it("refuse to join samples that differ", function()
    local wide = data.TensorDataset(pl.ones(2, 2))
    local joined = data.ConcatDataset({ numbers(2), wide })
    fails("shape", "field 1 of dataset 2 has another shape", joined.source, joined)
    joined = data.ConcatDataset({ numbers(2), data.TensorDataset(pl.ones(2), pl.ones(2)) })
    fails("shape", "dataset 2 has 2 fields", joined.source, joined)
  end)
end)

describe("Source", function()
  it("casts, divides and adds, each step rounded", function()
    local bytes = pl.tensor({ 0, 3, 255 }, { dtype = "u8" })
    local function read(field, i) return data.Source({ field }):read(i):item() end
    assert.equal(4, read({ bytes, cast = "i64", add = 1 }, 2))
    assert.equal(0.0234375, read({ bytes, cast = "f32", divide = 128 }, 2))
    assert.equal(254.5, read({ bytes, cast = "f64", add = -0.5 }, 3))
    assert.equal(-1, read({ bytes, cast = "i32", add = -1 }, 1))
    assert.equal(1.75, read({ pl.tensor { 0.5, 3 }, divide = 4, add = 1 }, 2))
    local third = pl.tensor({ 3 }):reciprocal():item()
    assert.equal(third, read({ pl.tensor { 1 }, divide = 3 }, 1))
  end)

  it("refuses transforms it does not know and integers that are divided", function()
    local bytes = pl.tensor({ 1 }, { dtype = "u8" })
    fails("argument", "no 'divid' %(did you mean 'divide'%?%)", data.Source,
      { { bytes, divid = 2 } })
    fails("dtype", "cast first", data.Source, { { bytes, divide = 2 } })
    fails("dtype", "not f16", data.Source, { { bytes, cast = "f16" } })
    fails("shape", "field 2 has 2 samples and field 1 has 1", data.Source,
      { { bytes }, { pl.ones(2) } })
    fails("argument", "1 to 8 fields", data.Source, {})
  end)

  it("is not asked where a subclass overrides get or size", function()
    local Doubled = class("Doubled", data.TensorDataset)
    function Doubled:get(i) return data.TensorDataset.get(self, i) * 2 end
    local Shorter = class("Shorter", data.TensorDataset)
    function Shorter.size() return 2 end
    assert.is_nil(data.Source.of(Doubled(pl.ones(3))))
    assert.is_nil(data.Source.of(Shorter(pl.ones(3))))
    assert.is_nil(data.Source.of(data.Subset(Doubled(pl.ones(3)), { 1 })))
    local own = numbers(3)
    own.get = function() return 0 end
    assert.is_nil(data.Source.of(own))
    assert.is_not_nil(data.Source.of(class("Plain", data.TensorDataset)(pl.ones(3))))
  end)
end)

describe("random_split", function()
  local function split(sizes, o)
    return data.random_split(numbers(10), sizes, o or {})
  end

  it("gives every sample to exactly one part", function()
    local a, b, c = split({ 5, 3, 2 })
    local seen = {}
    for _, part in ipairs { a, b, c } do
      for _, value in ipairs(values(part)) do seen[#seen + 1] = value end
    end
    assert.same({ 5, 3, 2 }, { a:size(), b:size(), c:size() })
    table.sort(seen)
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, seen)
  end)

  it("is drawn from pl.manual_seed or from its own seed", function()
    pl.manual_seed(4)
    local first, second = values((split({ 9, 1 }))), values((split({ 9, 1 })))
    pl.manual_seed(4)
    assert.same(first, values((split({ 9, 1 }))))
    assert.are_not.same(first, second)
    pl.manual_seed(5)
    assert.are_not.same(first, values((split({ 9, 1 }))))
    assert.same(values((split({ 9, 1 }, { seed = 3 }))), values((split({ 9, 1 }, { seed = 3 }))))
  end)

  it("takes fractions", function()
    local a, b, c = split({ 0.5, 0.25, 0.25 })
    assert.same({ 6, 2, 2 }, { a:size(), b:size(), c:size() })
  end)

  it("refuses sizes that do not add up, empty parts and fractions of samples", function()
    fails("argument", "5 %+ 4 add up to 9, but the dataset has 10 samples", split, { 5, 4 })
    fails("argument", "part 2 would be empty", split, { 10, 0 })
    fails("argument", "part 2 would be empty", split, { 0.99, 0.01 })
    fails("argument", "size 1 must be a whole number of samples, got 5.5", split, { 5.5, 4.5 })
    fails("argument", "size 2 must be a whole number of samples, got %-1", split, { 11, -1 })
    fails("argument", "size 1 must be a number, got 'half'", split, { "half" })
    fails("argument", "size of one part or more", split, {})
    fails("argument", "unknown option 'sed' %(did you mean 'seed'%?%)", split, { 10 }, { sed = 1 })
  end)
end)
