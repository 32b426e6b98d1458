-- Sets in MNIST's format: values, and a sentence for everything that can be wrong with the files.
local pl = require "perilune"
local fails = require "tests.data.fails"
local files = dofile "tests/data/idx_files.lua"
local data = pl.data

-- A one-element f32 holds what C rounds value / 255 to.
local function scaled(value)
  return require("ffi").new("float[1]", value / 255)[0]
end

describe("MNIST", function()
  local folder
  before_each(function() folder = files.folder() end)
  after_each(function() files.remove(folder) end)

  for _, how in ipairs { "plain", "gzip" } do
    it("reads " .. how .. " files: u8 pixels scaled to [0, 1], labels from 1", function()
      local ds = data.MNIST{ root = files.make(folder, 12, how) }
      assert.equal(12, ds:size())
      local image, label = ds:get(11)
      assert.same({ 3, 2 }, image.shape)
      assert.equal("f32", image.dtype)
      assert.equal(2, label)
      assert.equal("1", ds.classes[label])
      local rows = image:totable()
      for p = 0, 5 do
        assert.equal(scaled((77 + 40 * p) % 256), rows[math.floor(p / 2) + 1][p % 2 + 1])
      end
    end)
  end

  it("gives all labels at once", function()
    local ds = data.MNIST{ root = files.make(folder, 12, "gzip") }
    local labels = ds:targets()
    assert.equal("i64", labels.dtype)
    assert.same({ 12 }, labels.shape)
    for i = 1, 12 do assert.equal(select(2, ds:get(i)), labels[i]:item()) end
  end)

  it("gives its images a channel when asked, alone and in batches", function()
    local ds = data.MNIST{ root = files.make(folder, 4, "plain"), channels = true }
    local plain = data.MNIST{ root = folder }
    assert.same({ 1, 3, 2 }, ds:get(2).shape)
    local next_batch, pass = data.DataLoader(ds, { batch_size = 4 }):batches()
    local images = next_batch(pass)[1]
    assert.same({ 4, 1, 3, 2 }, images.shape)
    for i = 1, 4 do assert.same(plain:get(i):totable(), images[i][1]:totable()) end
  end)

  it("scales every byte as float(x) / 255 does", function()
    local pixels, labels = {}, {}
    for i = 0, 255 do pixels[i + 1] = i end
    for i = 1, 2 do labels[i] = 0 end
    files.write(folder .. "/train-images-idx3-ubyte", files.idx({ 2, 16, 8 }, pixels))
    files.write(folder .. "/train-labels-idx1-ubyte", files.idx({ 2 }, labels))
    local ds = data.MNIST{ root = folder }
    local next_batch, pass = data.DataLoader(ds, { batch_size = 2 }):batches()
    local values = next_batch(pass)[1]:reshape(256):totable()
    for i = 0, 255 do assert.equal(scaled(i), values[i + 1]) end
  end)

  it("says that a position is none of its own", function()
    local ds = data.MNIST{ root = files.make(folder, 3, "plain") }
    for _, i in ipairs { 0, 4, -1, 1.5 } do
      fails("argument", "there is no sample .*1 to 3", ds.get, ds, i)
    end
  end)

  it("opens without inflating and then names the corrupt file", function()
    files.make(folder, 2000, "gzip")
    local path = folder .. "/train-images-idx3-ubyte.gz"
    local bytes = files.read(path)
    local middle = math.floor(#bytes / 2)
    files.write(path, bytes:sub(1, middle) .. string.char((bytes:byte(middle + 1) + 1) % 256)
      .. bytes:sub(middle + 2))
    local ds = data.MNIST{ root = folder }
    assert.equal(2000, ds:size())
    local e = fails("format", "truncated or corrupt gzip", ds.get, ds, 1)
    assert.is_truthy(e.message:find(path, 1, true))
    for _, prefetch in ipairs { true, false } do
      local next_batch, pass = data.DataLoader(ds, { prefetch = prefetch }):batches()
      fails("format", "truncated or corrupt gzip", next_batch, pass)
    end
  end)

  it("refuses a truncated gzip file when it is opened", function()
    files.make(folder, 100, "gzip")
    local path = folder .. "/train-images-idx3-ubyte.gz"
    files.write(path, files.read(path):sub(1, -3))
    fails("format", "train%-images.*", data.MNIST, { root = folder })
  end)

  it("refuses a wrong magic number, and images where labels should be", function()
    files.make(folder, 4, "plain")
    local labels = files.read(folder .. "/train-labels-idx1-ubyte")
    files.write(folder .. "/train-images-idx3-ubyte", labels .. ("\0"):rep(20))
    fails("format", "train%-images.* wrong magic number: 0x00000801 instead of 0x00000803",
      data.MNIST, { root = folder })
  end)

  it("refuses counts that differ", function()
    files.make(folder, 4, "plain")
    files.write(folder .. "/train-labels-idx1-ubyte", files.idx({ 3 }, { 1, 2, 3 }))
    fails("format", "has 4 images, but .* has 3 labels", data.MNIST, { root = folder })
  end)

  it("refuses labels out of range, naming the sample", function()
    files.make(folder, 4, "plain")
    files.write(folder .. "/train-labels-idx1-ubyte", files.idx({ 4 }, { 1, 2, 10, 3 }))
    fails("format", "label 10 for sample 3; 10 classes", data.MNIST, { root = folder })
  end)

  it("refuses a file that is too short or too long, and one without images", function()
    files.make(folder, 4, "plain")
    local path = folder .. "/train-images-idx3-ubyte"
    local bytes = files.read(path)
    files.write(path, bytes:sub(1, -2))
    fails("format", "too short", data.MNIST, { root = folder })
    files.write(path, bytes .. "x")
    fails("format", "too long", data.MNIST, { root = folder })
    files.write(path, files.idx({ 0, 3, 2 }, {}))
    files.write(folder .. "/train-labels-idx1-ubyte", files.idx({ 0 }, {}))
    fails("format", "has no images", data.MNIST, { root = folder })
  end)

  it("refuses unknown options and splits", function()
    fails("argument", "unknown option 'spilt' %(did you mean 'split'%?%)", data.MNIST,
      { root = folder, spilt = "train" })
    fails("argument", "'split' must be one of 'train', 'test', got 'trian'", data.MNIST,
      { root = folder, split = "trian" })
    fails("argument", "option 'root' is required", data.MNIST, { split = "train" })
  end)
end)

describe("FashionMNIST", function()
  it("names the package and --data when it is not installed", function()
    local folder = files.folder()
    local e = fails("io", "not installed", data.FashionMNIST, { root = folder .. "/" })
    files.remove(folder)
    assert.is_truthy(e.message:find("dataset-fashion-mnist", 1, true))
    assert.is_truthy(e.message:find("--data DIR", 1, true))
    assert.is_truthy(e.message:find(folder .. "/train-images-idx3-ubyte.gz", 1, true))
  end)

  it("has the published images", function()
    local ds = data.FashionMNIST{ split = "test" }
    assert.equal(10000, ds:size())
    local image, label = ds:get(1)
    assert.same({ 28, 28 }, image.shape)
    assert.equal("Ankle boot", ds.classes[label])
    local sum, counts = 0, {}
    for batch in data.DataLoader(ds, { batch_size = 500 }):batches() do
      sum = sum + batch[1]:sum():item()
      for _, one in ipairs(batch[2]:totable()) do counts[one] = (counts[one] or 0) + 1 end
    end
    assert.is_true(math.abs(sum / 7840000 - 0.28685) < 1e-5)
    for one = 1, 10 do assert.equal(1000, counts[one]) end
  end)
end)
