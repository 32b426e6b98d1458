-- num_workers: Lua states in threads give what one state gives; what cannot reach them is named.
local pl = require "perilune"
local fails = require "tests.data.fails"
local class, data = pl.class, pl.data
local transforms = data.transforms

-- A class with a tensor, closures over each other's locals, a base of its own and a global.
local table_of = pl.arange(1, 60):float():reshape(20, 3)
local scale, calls = 3, 0
local function count() calls = calls + 1; return calls end
local function seen() return calls > 0 end
local function factorial(n) return n <= 1 and 1 or n * factorial(n - 1) end

local Base = class("Base", data.Dataset)
function Base:init(n) self.n = n end
function Base:size() return self.n end
function Base.label(i) return i % 4 + 1 end

local Scaled = class("Scaled", Base)
function Scaled:init(n)
  Base.init(self, n)
  self.offset = pl.tensor { 100, 200, 300 }
  self.names = { [true] = "odd", [false] = "even" }
  self.own = self
end
function Scaled:get(i)
  count()
  assert(seen() and self.own == self and getmetatable(self) == Scaled and Scaled.super == Base)
  local row = table_of[i] * scale + self.offset + math.random()
  return row, self.label(i), factorial(i % 4), self.names[i % 2 == 1]
end

local function batches(dataset, o)
  o.seed = 7
  local loader, out = data.DataLoader(dataset, o), {}
  for _ = 1, 2 do
    for batch in loader:batches() do
      local fields = {}
      for key, value in pairs(batch) do
        fields[key] = pl.is_tensor(value) and { value.dtype, value:totable() } or value
      end
      out[#out + 1] = fields
    end
  end
  return out
end

local function same_for_all(make, o)
  local function run(n)
    local options = { num_workers = n }
    for key, value in pairs(o) do options[key] = value end
    return batches(make(), options)
  end
  local expected = run(0)
  for _, n in ipairs { 1, 4 } do assert.same(expected, run(n), n .. " workers") end
  return expected
end

describe("num_workers", function()
  it("changes nothing: 0, 1 and 4 workers, a class with a tensor and closures", function()
    local found = same_for_all(function() return Scaled(20) end, { batch_size = 3, shuffle = true })
    assert.equal(14, #found)
    assert.equal("f32", found[1][1][1])
    assert.are_not.same(found[1][1], found[8][1])
    assert.equal(20 * 2, calls)
  end)

  it("may be more than there are batches", function()
    assert.equal(2, #same_for_all(function() return Scaled(2) end, { batch_size = 3 }))
    assert.equal(0, #same_for_all(function() return Scaled(0) end, {}))
  end)

  it("changes nothing for a dataset that only iterates, whose tensors outlive batches", function()
    local Stream = class("Stream", data.IterableDataset)
    function Stream:init(n) self.n = n end
    function Stream:iterate(epoch)
      local i, sum = 0, pl.zeros(3)
      return function()
        if i >= self.n then return nil end
        i = i + 1
        sum:add_(table_of[i])
        return sum * epoch + math.random(), i
      end
    end
    for _, n in ipairs{ 0, 1, 9, 11, 12 } do
      for _, drop_last in ipairs{ false, true } do
        local found = same_for_all(function() return Stream(n) end,
          { batch_size = 3, drop_last = drop_last })
        assert.equal(2 * (drop_last and math.floor(n / 3) or math.ceil(n / 3)), #found)
      end
    end
    local found = same_for_all(function() return Stream(5) end, { batch_size = 2,
      collate_fn = function(samples) return { n = #samples, last = samples[#samples][2] } end })
    assert.are.same({ n = 1, last = 5 }, found[3])
    local loader = data.DataLoader(Stream(9), { batch_size = 2, num_workers = 2, seed = 1 })
    local step, pass = loader:batches_after(3)
    assert.are.same({ 7, 8 }, step(pass)[2]:totable())
    pass:close()
    assert.is_nil(step(pass))
  end)

  it("raises the error of an iterated sample where its batch is due", function()
    local Faulty = class("Faulty", data.IterableDataset)
    function Faulty.iterate()
      local i = 0
      return function()
        i = i + 1
        if i == 6 then error("sample six") end
        return i
      end
    end
    for _, n in ipairs{ 0, 1, 3 } do
      local loader, taken = data.DataLoader(Faulty(), { batch_size = 2, num_workers = n }), 0
      local ok, e = pcall(function() for _ in loader:batches() do taken = taken + 1 end end)
      assert.is_false(ok)
      assert.matches("sample six", tostring(e))
      assert.equal(2, taken)
    end
  end)

  it("takes transforms, datasets of datasets, collate functions and sources along", function()
    local images = pl.arange(1, 20 * 36):float():reshape(20, 6, 6)
    local Marked = class("Marked", data.Dataset)
    function Marked:init(inner, transform) self.inner, self.transform = inner, transform end
    function Marked:size() return self.inner:size() end
    function Marked:get(i) return self:transformed(self.inner:get(i)) end
    local function noisy(image, label) return image + math.random(), label end
    same_for_all(function()
      local inner = data.TensorDataset(images, pl.arange(1, 20), { transform = transforms.compose {
        transforms.random_crop(4, { padding = 1 }), transforms.horizontal_flip() } })
      assert.is_truthy(inner:source())
      local both = data.ConcatDataset({ Marked(inner, noisy), inner })
      return data.Subset(both, { 1, 30, 7, 8, 22, 40, 3 }, { transform = transforms.compose {
        transforms.random_erasing(), function(...) return ... end } })
    end, { batch_size = 2, batch_transform = function(batch)
      batch.noise = math.random()
      return batch
    end })
    local found = same_for_all(function() return data.TensorDataset(images, pl.arange(1, 20)) end,
      { batch_size = 6, collate_fn = function(samples)
        return { n = #samples, first = samples[1][1] }
      end })
    assert.equal(2, found[4].n)
    local ragged = class("Ragged", Base)
    function ragged.get(_, i) return table_of:select(1, 1):narrow(1, 1, i % 3 + 1), i end
    found = same_for_all(function() return ragged(9) end,
      { batch_size = 3, collate_fn = data.padding_collate { padding_value = -1 } })
    assert.same({ "i64", { 2, 3, 1 } }, found[1].lengths)
  end)

  it("shares tensors instead of copying them", function()
    local Shared = class("Shared", Base)
    local cell = pl.zeros(1)
    function Shared.get(_, i) return cell, i end
    local loader = data.DataLoader(Shared(3), { num_workers = 1 })
    local step, pass = loader:batches()
    step(pass)
    cell:fill_(5)
    step(pass)
    assert.equal(5, step(pass)[1]:item())
    pass:close()
    assert.is_nil(step(pass))
  end)

  it("takes a script's globals along", function()
    rawset(_G, "worker_spec_helper", function(i) return i + 0.5 end)
    local Global = class("Global", Base)
    Global.get = setfenv(loadstring "local _, i = ... return worker_spec_helper(i)", _G)
    local found = same_for_all(function() return Global(4) end, { batch_size = 4 })
    rawset(_G, "worker_spec_helper", nil)
    assert.same({ 1.5, 2.5, 3.5, 4.5 }, found[1][1][2])
  end)

  it("may be left in the middle, many times", function()
    for round = 1, 4 do
      local n = 0
      for batch in data.DataLoader(Scaled(20), { batch_size = 2, num_workers = 2 }):batches() do
        n = n + 1
        assert.equal(2, batch[1]:size(1))
        if n == round then break end
      end
      collectgarbage()
    end
  end)

  it("raises a worker's error with its own traceback", function()
    local Failing = class("Failing", Base)
    local function inside(i)
      if i == 4 then error("no such picture") end
      return i
    end
    function Failing.get(_, i)
      local value = inside(i)
      return value
    end
    local loader, seen_batches = data.DataLoader(Failing(6), { batch_size = 2, num_workers = 2 }), 0
    local e = fails("user", "^no such picture$", function()
      for _ in loader:batches() do seen_batches = seen_batches + 1 end
    end)
    assert.equal(1, seen_batches)
    assert.matches("workers_spec.lua:%d+: no such picture", tostring(e))
    assert.matches("in function 'inside'", e.traceback)
    local Shape = class("Shape", Base)
    function Shape.get(_, i) return pl.ones(i) end
    fails("shape", "field '1' is a tensor of shape 1 in sample 1", function()
      local step, pass = data.DataLoader(Shape(2), { batch_size = 2, num_workers = 1 }):batches()
      step(pass)
    end)
  end)

  it("names what cannot reach a worker, before the first batch", function()
    local function start(dataset, o)
      o = o or {}
      o.num_workers = 1
      data.DataLoader(dataset, o):batches()
    end
    local file = io.tmpfile()
    local dataset = Scaled(3)
    dataset.transform = function(...) file:write("x"); return ... end
    fails("argument", "^dataset.transform upvalue 'file' cannot reach a worker: it is a userdata",
      start, dataset)
    dataset.transform = nil
    dataset.deep = { 1, { thread = coroutine.create(function() end) } }
    fails("argument", "^dataset.deep%[2%].thread cannot reach a worker: it is a thread", start,
      dataset)
    fails("argument", "^collate_fn upvalue 'file' cannot", start, Scaled(3),
      { collate_fn = function() return file end })
    local Reading = class("Reading", Base)
    function Reading.get() return file:read() end
    fails("argument", "^dataset.get upvalue 'file' cannot", start, Reading(3))
    file:close()
    local Answer = class("Answer", Base)
    function Answer.get() return function() end, 1 end
    fails("argument", "batch%[1%]%[1%] cannot reach the main thread: it is a function", function()
      local step, pass = data.DataLoader(Answer(1), { num_workers = 1 }):batches()
      step(pass)
    end)
  end)

  it("is refused where it is no count", function()
    fails("argument", "'num_workers' must be", data.DataLoader, Scaled(2), { num_workers = -1 })
  end)
end)
