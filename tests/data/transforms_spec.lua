-- Transforms of samples, in C for whole batches and one by one, and of batches.
local pl = require "perilune"
local fails = require "tests.data.fails"
local class, data = pl.class, pl.data
local transforms = data.transforms

-- n u8 images of 6 x 5 whose pixels are all different within an image, and labels 1..n.
local function pictures(n)
  local images, labels = {}, {}
  for i = 1, n do
    images[i], labels[i] = {}, (i - 1) % 3 + 1
    for y = 1, 6 do
      images[i][y] = {}
      for x = 1, 5 do images[i][y][x] = (i * 7 + y * 5 + x) % 256 end
    end
  end
  return pl.tensor(images, { dtype = "u8" }), pl.tensor(labels, { dtype = "i64" })
end

local function augment()
  return transforms.compose {
    transforms.random_crop({ 5, 5 }, { padding = 1, fill = 9 }), transforms.horizontal_flip(),
    transforms.to_float(), transforms.random_erasing { p = 0.7, value = 0.5 },
    transforms.normalize(0.25, 0.5), transforms.resize { 4, 3 },
  }
end

-- sample number -> its image as a list, from loaders over datasets whose labels are positions.
local function by_sample(dataset, o)
  o.seed = o.seed or 5
  local loader, out = data.DataLoader(dataset, o), {}
  loader:set_epoch(2)
  for batch in loader:batches() do
    local images, labels = batch[1]:totable(), batch[2]:totable()
    for k, label in ipairs(labels) do out[label] = images[k] end
  end
  return out
end

local function positioned(n, transform)
  return data.TensorDataset((pictures(n)), pl.arange(1, n):to "i64", { transform = transform })
end

-- The same samples, known by get alone.
local Listed = class("Listed", data.Dataset)
function Listed:init(inner, transform) self.inner, self.transform = inner, transform end
function Listed:size() return self.inner:size() end
function Listed:get(i)
  return self:transformed(self.inner:get(i))
end

describe("Transforms", function()
  it("give torchvision's numbers", function()
    local x = pl.tensor({ { 0, 51 }, { 102, 255 } }, { dtype = "u8" })
    local f = transforms.to_float()(x)
    assert.equal("f32", f.dtype)
    assert.same((pl.tensor { { 0, 51 }, { 102, 255 } } / 255):totable(), f:totable())
    assert.same(f:totable(), transforms.to_float()(f):totable())
    assert.same({ { -1, 1 }, { 3, 5 } },
      transforms.normalize(0.5, 0.5)(pl.tensor { { 0, 1 }, { 2, 3 } }):totable())
    local channels = pl.ones(2, 1, 2)
    assert.same({ { { 1, 1 } }, { { -2, -2 } } },
      transforms.normalize({ 0, 2 }, { 1, 0.5 })(channels):totable())
    local row = pl.tensor { { 0, 2 } }
    assert.same({ { 2, 0 } }, transforms.horizontal_flip { p = 1 }(row):totable())
    assert.same({ { 0, 2 } }, transforms.horizontal_flip { p = 0 }(row):totable())
    assert.same({ { 0, 0.5, 1.5, 2 } }, transforms.resize { 1, 4 }(row):totable())
    assert.same({ 3, 4, 6 }, transforms.resize(4)(pl.ones(3, 2, 3)).shape)
  end)

  it("take views and leave their input alone", function()
    local x = pl.tensor { { 1, 2 }, { 3, 4 } }
    assert.same({ { 3, 1 }, { 4, 2 } }, transforms.horizontal_flip { p = 1 }(x:t()):totable())
    assert.same({ { 1, 2 }, { 3, 4 } }, x:totable())
  end)

  it("take samples of several values and of named fields", function()
    local flip = transforms.horizontal_flip { p = 1, fields = { "image", "mask" } }
    local sample = { image = pl.tensor { { 1, 2 } }, mask = pl.tensor { { 3, 4 } }, name = "a" }
    local out = flip(sample)
    assert.same({ { 2, 1 } }, out.image:totable())
    assert.same({ { 4, 3 } }, out.mask:totable())
    assert.equal("a", out.name)
    assert.same({ { 1, 2 } }, sample.image:totable())
    local image, label, more = transforms.horizontal_flip { p = 1 }(pl.tensor { { 1, 2 } }, nil, 3)
    assert.same({ { 2, 1 } }, image:totable())
    assert.is_nil(label)
    assert.equal(3, more)
  end)

  it("draw once for all fields of a step", function()
    local image = pl.arange(1, 64):float():reshape(8, 8)
    local crop = transforms.random_crop(4, { padding = 2, fields = { 1, 2 } })
    for _ = 1, 10 do
      local a, b = crop(image, image)
      assert.same(a:totable(), b:totable())
    end
  end)

  it("follow math.random outside a loader", function()
    local image, crop = pl.arange(1, 400):float():reshape(20, 20), transforms.random_crop(4)
    math.randomseed(3)
    local first, second = crop(image):totable(), crop(image):totable()
    math.randomseed(3)
    assert.same(first, crop(image):totable())
    assert.are_not.same(first, second)
  end)

  it("refuse what they cannot do", function()
    fails("dtype", "normalize takes f32, not u8; put to_float before it",
      transforms.normalize(0, 1), (pictures(1))[1])
    fails("shape", "horizontal_flip takes images", transforms.horizontal_flip(), pl.ones(3))
    fails("shape", "random_crop: 4x4 does not fit an image of 3x3", transforms.random_crop(4),
      pl.ones(3, 3))
    fails("shape", "2 channels, the image has 3", transforms.normalize({ 0, 0 }, { 1, 1 }),
      pl.ones(3, 2, 2))
    fails("argument", "field '1' of the sample is 7", transforms.horizontal_flip(), 7)
    fails("argument", "std must be above 0", transforms.normalize(0, 0), pl.ones(2))
    fails("argument", "as many channels", transforms.normalize, { 0, 0 }, { 1 })
    fails("argument", "whole number from 1", transforms.resize, { 3 })
    fails("argument", "whole number from 1", transforms.random_crop, 0)
    fails("argument", "'p' must be", transforms.horizontal_flip, { p = 2 })
    fails("argument", "unknown option 'prob'", transforms.horizontal_flip, { prob = 1 })
    fails("argument", "scale is", transforms.random_erasing, { scale = { 0.5, 0.2 } })
    fails("argument", "did you mean 'random_crop'", function() return transforms.random_corp end)
    fails("argument", "transform 2", transforms.compose, { transforms.to_float(), 3 })
    fails("argument", "one transform or more", transforms.compose, {})
  end)
end)

describe("Datasets with a transform", function()
  it("give the same samples by C, by get, in any order, ahead or not", function()
    local expected = by_sample(positioned(40, augment()), { batch_size = 40 })
    assert.equal(40, #expected)
    assert.same({ 4, 3 }, { #expected[1], #expected[1][1] })
    local same = {
      { positioned(40, augment()), { batch_size = 7, shuffle = true } },
      { positioned(40, augment()), { batch_size = 3, prefetch = true } },
      { positioned(40, augment()), { batch_size = 1, prefetch = false } },
      { positioned(40, augment()), { batch_size = 40, collate_fn = data.collate } },
      { Listed(positioned(40), augment()), { batch_size = 9, shuffle = true } },
      { Listed(positioned(40, augment())), { batch_size = 9 } },
    }
    for k, case in ipairs(same) do
      assert.same(expected, by_sample(case[1], case[2]), "case " .. k)
    end
    assert.are_not.same(expected, by_sample(positioned(40, augment()),
      { batch_size = 40, seed = 6 }))
  end)

  it("draw anew each epoch", function()
    local loader = data.DataLoader(positioned(30, augment()), { batch_size = 30, seed = 5 })
    local epochs = {}
    for epoch = 1, 2 do
      for batch in loader:batches() do epochs[epoch] = batch[1]:totable() end
    end
    assert.are_not.same(epochs[1], epochs[2])
    loader:set_epoch(1)
    for batch in loader:batches() do assert.same(epochs[1], batch[1]:totable()) end
  end)

  it("nest: each level appends its own", function()
    local function nested(levels)
      local inner = levels(positioned(8, transforms.random_crop(4, { padding = 1 })))
      local both = data.ConcatDataset({ inner, positioned(8, transforms.random_crop(4)) },
        { transform = transforms.to_float() })
      return data.Subset(both, { 3, 12, 5, 1 }, { transform = transforms.horizontal_flip() })
    end
    local function unchanged(d) return d end
    local function batch_of(dataset)
      local step, pass = data.DataLoader(dataset, { batch_size = 4, seed = 1 }):batches()
      local batch = step(pass)
      return { batch[1]:totable(), batch[2]:totable(), batch[1].dtype }
    end
    local in_c = batch_of(nested(unchanged))
    assert.equal("f32", in_c[3])
    assert.is_truthy(nested(unchanged):source())
    assert.same({ 3, 4, 5, 1 }, in_c[2])
    assert.is_nil(nested(Listed):source())
    assert.same(in_c, batch_of(nested(Listed)))
  end)

  it("may get another one later, and keep buffers as long as they do not", function()
    local dataset = positioned(4)
    local loader = data.DataLoader(dataset, { batch_size = 4 })
    local function shape()
      local step, pass = loader:batches()
      local batch = step(pass)
      return { batch[1].dtype, unpack(batch[1].shape) }
    end
    assert.same({ "u8", 4, 6, 5 }, shape())
    dataset.transform = transforms.resize(3)
    fails("dtype", "resize takes f32", shape)
    dataset.transform = transforms.compose { transforms.to_float(), transforms.resize { 2, 3 } }
    assert.same({ "f32", 4, 2, 3 }, shape())
    assert.equal(dataset:source(), dataset:source())
    dataset.transform = nil
    assert.same({ "u8", 4, 6, 5 }, shape())
  end)

  it("run Lua functions in Lua, with math.random of the sample", function()
    local function noisy(image, label) return image:to "f32" + math.random(), label end
    local dataset = positioned(12, noisy)
    assert.is_nil(dataset:source())
    local plain = by_sample(dataset, { batch_size = 5 })
    assert.same(plain, by_sample(dataset, { batch_size = 2, shuffle = true }))
    local mixed = transforms.compose { transforms.horizontal_flip(), noisy,
      transforms.normalize(0, 2) }
    plain = by_sample(positioned(12, mixed), { batch_size = 5 })
    assert.same(plain, by_sample(positioned(12, mixed), { batch_size = 12, shuffle = true }))
    assert.is_true(plain[1][1][1] < 20)
  end)

  it("name a field that samples lack", function()
    local dataset = positioned(3, transforms.horizontal_flip { fields = { "image" } })
    fails("argument", "horizontal_flip: samples have no field 'image'", function()
      data.DataLoader(dataset):batches()
    end)
    fails("argument", "'transform' must be a callable", data.TensorDataset, pl.ones(2),
      { transform = 3 })
  end)
end)

describe("Batch transforms", function()
  local function batches_of(transform, o)
    o = o or {}
    o.batch_transform, o.batch_size, o.seed = transform, o.batch_size or 4, 3
    local out, dataset = {}, positioned(12, transforms.to_float())
    for batch in data.DataLoader(dataset, o):batches() do
      out[#out + 1] = { batch[1]:totable(), batch[2]:totable() }
    end
    return out
  end

  -- What share of itself a row of targets kept; labels are positions, so neighbours differ.
  local function shares(targets, row, label, neighbour)
    assert.is_near(1, targets[row][label] + targets[row][neighbour], 1e-6)
    return targets[row][label]
  end

  it("mixup takes shares of a sample and of the one before it", function()
    local seen = {}
    for b, batch in ipairs(batches_of(transforms.mixup(12, { alpha = 0.8 }))) do
      local images = pictures(12):to "f32" / 255
      local first = (b - 1) * 4
      local part = shares(batch[2], 2, first + 2, first + 1)
      assert.is_near(part, shares(batch[2], 1, first + 1, first + 4), 1e-6)
      assert.is_true(part > 0 and part < 1)
      seen[part] = true
      for row = 1, 4 do
        local before = row == 1 and 4 or row - 1
        local expected = images[first + row] * part + images[first + before] * (1 - part)
        local off = (pl.tensor(batch[1][row]) - expected):abs():max():item()
        assert.is_true(off < 1e-6, tostring(off))
      end
    end
    local n = 0
    for _ in pairs(seen) do n = n + 1 end
    assert.equal(3, n)
  end)

  it("cutmix puts a box of the sample before it", function()
    local boxes = 0
    for b, batch in ipairs(batches_of(transforms.cutmix(12), { batch_size = 3 })) do
      local images = (pictures(12):to "f32" / 255):totable()
      local first = (b - 1) * 3
      local part = shares(batch[2], 2, first + 2, first + 1)
      local foreign = 0
      for y = 1, 6 do
        for x = 1, 5 do
          local value = batch[1][2][y][x]
          if value ~= images[first + 2][y][x] then
            foreign = foreign + 1
            assert.equal(images[first + 1][y][x], value)
          end
        end
      end
      assert.is_near(part, 1 - foreign / 30, 1e-6)
      if foreign > 0 then boxes = boxes + 1 end
    end
    assert.is_true(boxes > 0)
  end)

  it("draw shares of Beta(alpha, alpha)", function()
    math.randomseed(1)
    local target = pl.tensor({ 1, 2 }, { dtype = "i64" })
    for _, case in ipairs { { 1, 1 / 12 }, { 0.2, 1 / 5.6 }, { 4, 1 / 36 } } do
      local mixup, sum, squares = transforms.mixup(2, { alpha = case[1] }), 0, 0
      for _ = 1, 1500 do
        pl.scope(function()
          local part = mixup({ pl.ones(2, 1), target })[2][{ 1, 1 }]:item()
          sum, squares = sum + part, squares + (part - 0.5) ^ 2
        end)
      end
      assert.is_near(0.5, sum / 1500, 0.035)
      assert.is_near(case[2], squares / 1500, 0.12 * case[2])
    end
    local tiny = transforms.mixup(2, { alpha = 0.001 })({ pl.ones(2, 1), target })[2]:totable()
    assert.is_near(1, tiny[1][1] + tiny[1][2], 1e-6)
  end)

  it("depend on seed, epoch and first sample only, and keep batches whole", function()
    local both = transforms.compose { transforms.mixup(12), transforms.cutmix(12) }
    local in_order = batches_of(both)
    assert.same(in_order, batches_of(both, { collate_fn = data.collate }))
    local Swapped = class("Swapped", data.Sampler)
    function Swapped.size() return 12 end
    local order = { 5, 6, 7, 8, 1, 2, 3, 4, 9, 10, 11, 12 }
    function Swapped.iterate()
      local at = 0
      return function() at = at + 1; return order[at] end
    end
    local swapped = batches_of(both, { sampler = Swapped() })
    assert.same({ in_order[2], in_order[1], in_order[3] }, swapped)
  end)

  it("may be Lua functions, with math.random of the batch, for iterated samples too", function()
    local Count = class("Count", data.IterableDataset)
    function Count.iterate()
      local at = 0
      return function()
        at = at + 1
        if at <= 5 then return at end
      end
    end
    local function run()
      local out = {}
      local loader = data.DataLoader(Count(), { batch_size = 2, seed = 1,
        batch_transform = function(batch)
          return { batch[1], noise = math.random() }
        end })
      for batch in loader:batches() do
        assert.has_error(function() return batch.nose end)
        out[#out + 1] = { batch[1]:totable(), batch.noise }
      end
      return out
    end
    local first = run()
    math.random()
    assert.same(first, run())
    assert.same({ 5 }, first[3][1])
    assert.are_not.equal(first[1][2], first[2][2])
  end)

  it("go on as they would have, behind batches that were taken", function()
    local loader = data.DataLoader(positioned(12, transforms.to_float()), { batch_size = 4,
      seed = 3, batch_transform = transforms.mixup(12) })
    local function rest(skip)
      local out = {}
      loader:set_epoch(1)
      for batch in loader:batches_after(skip) do out[#out + 1] = batch[2]:totable() end
      return out
    end
    local all = rest(0)
    assert.same({ all[2], all[3] }, rest(1))
    assert.same({ all[3] }, rest(2))
    assert.same({}, rest(3))
  end)

  it("refuse what is no batch of theirs", function()
    local mixup, cutmix = transforms.mixup(3), transforms.cutmix(3)
    local labels = pl.tensor({ 1, 2 }, { dtype = "i64" })
    fails("dtype", "mixup takes f32 and f64, not u8", mixup,
      { pl.ones(2, 2, { dtype = "u8" }), labels })
    fails("argument", "fields '1' and '2' must be tensors", mixup, { pl.ones(2), 3 })
    fails("shape", "cutmix: a batch of images", cutmix, { pl.ones(2, 2), labels })
    fails("argument", "alpha must be above 0", transforms.mixup, 3, { alpha = 0 })
    fails("argument", "'num_classes' is required", transforms.mixup)
    fails("argument", "batch_transform returns a batch, not nil", function()
      batches_of(function() end)
    end)
  end)

  it("leave a pass that can be closed", function()
    local loader = data.DataLoader(positioned(8), { batch_size = 2,
      batch_transform = function(batch) return batch end })
    local step, pass = loader:batches()
    step(pass)
    pass:close()
    assert.is_nil(step(pass))
    assert.equal(1, #loader.idle_buffers)
  end)
end)
