-- DataLoader: batches made in C and in Lua, order, lifetime, the thread that fills ahead.
local pl = require "perilune"
local fails = require "tests.data.fails"
local class, data = pl.class, pl.data

-- n samples: row i is { i, -i }, the label is i as u8.
local function dataset(n)
  local rows, labels = {}, {}
  for i = 1, n do rows[i], labels[i] = { i, -i }, i end
  return data.TensorDataset(pl.tensor(rows), pl.tensor(labels, { dtype = "u8" }))
end

-- The same samples without a source.
local Listed = class("Listed", data.Dataset)
function Listed:init(n) self.n = n end
function Listed:size() return self.n end
function Listed:get(i)
  assert(i >= 1 and i <= self.n)
  return pl.tensor { i, -i }, i
end

local function lists(loader)
  local out = {}
  for batch in loader:batches() do
    assert.same(batch[2]:totable(), batch[1]:select(2, 1):long():totable())
    out[#out + 1] = batch[2]:totable()
  end
  return out
end

local function joined(batches)
  local all = {}
  for _, batch in ipairs(batches) do
    for _, value in ipairs(batch) do all[#all + 1] = value end
  end
  return all
end

for name, make in pairs { ["a source"] = dataset, ["only get"] = Listed } do
  describe("DataLoader over a dataset with " .. name, function()
    it("gives samples in order, a short batch last", function()
      local loader = data.DataLoader(make(7), { batch_size = 3 })
      assert.equal(3, loader:size())
      assert.same({ { 1, 2, 3 }, { 4, 5, 6 }, { 7 } }, lists(loader))
      assert.same({ { 1, 2, 3 }, { 4, 5, 6 }, { 7 } }, lists(loader))
    end)

    it("drops the last batch when asked to", function()
      local loader = data.DataLoader(make(7), { batch_size = 3, drop_last = true })
      assert.equal(2, loader:size())
      assert.same({ { 1, 2, 3 }, { 4, 5, 6 } }, lists(loader))
      assert.equal(0, data.DataLoader(make(2), { batch_size = 3, drop_last = true }):size())
    end)

    it("shuffles by seed and epoch, every sample once", function()
      local loader = data.DataLoader(make(50), { batch_size = 8, shuffle = true, seed = 3 })
      local first, second = joined(lists(loader)), joined(lists(loader))
      assert.are_not.same(first, second)
      loader:set_epoch(1)
      assert.same(first, joined(lists(loader)))
      assert.same(second, joined(lists(loader)))
      local other = data.DataLoader(make(50), { batch_size = 8, shuffle = true, seed = 4 })
      assert.are_not.same(first, joined(lists(other)))
      table.sort(first)
      for i = 1, 50 do assert.equal(i, first[i]) end
    end)

    it("takes its seed from pl.manual_seed", function()
      local function order(seed)
        pl.manual_seed(seed)
        return joined(lists(data.DataLoader(make(50), { shuffle = true })))
      end
      assert.same(order(1), order(1))
      assert.are_not.same(order(1), order(2))
    end)

    it("can be left and started again, and run twice at once", function()
      local loader = data.DataLoader(make(9), { batch_size = 2 })
      for batch in loader:batches() do
        if batch[2]:totable()[1] == 3 then break end
      end
      local _, pass = loader:batches()
      pass:close()
      local next_outer, outer = loader:batches()
      local batch = next_outer(outer)
      assert.same({ { 1, 2 }, { 3, 4 }, { 5, 6 }, { 7, 8 }, { 9 } }, lists(loader))
      assert.same({ 1, 2 }, batch[2]:totable())
      assert.same({ 3, 4 }, next_outer(outer)[2]:totable())
    end)

    it("takes samplers and batch samplers written in Lua", function()
      local Backwards = class("Backwards", data.Sampler)
      function Backwards.size() return 3 end
      function Backwards.iterate() return pairs { 5, 3, 1 } end
      local Values = class("Values", Backwards)
      function Values.iterate(_, epoch)
        local at, list = 0, { 5, 3, epoch }
        return function() at = at + 1; return list[at] end
      end
      assert.same({ { 5, 3 }, { 1 } },
        lists(data.DataLoader(make(5), { batch_size = 2, sampler = Values() })))
      assert.same({ { 1, 2 }, { 3 } },
        lists(data.DataLoader(make(5), { batch_size = 2, sampler = Backwards() })))
      local Groups = class("Groups", data.BatchSampler)
      function Groups:init() self.groups = { { 1, 5 }, { 2 }, { 4, 3, 1 } } end
      function Groups.size() return 3 end
      function Groups:iterate()
        local at = 0
        return function() at = at + 1; return self.groups[at] end
      end
      local loader = data.DataLoader(make(5), { batch_sampler = Groups() })
      assert.equal(3, loader:size())
      assert.same({ { 1, 5 }, { 2 }, { 4, 3, 1 } }, lists(loader))
    end)

    it("refuses positions that are none", function()
      local Wrong = class("Wrong", data.Sampler)
      function Wrong:init(position) self.position = position end
      function Wrong.size() return 1 end
      function Wrong:iterate()
        local given = false
        return function()
          if not given then given = true; return self.position end
        end
      end
      local function run(position)
        return lists(data.DataLoader(make(3), { sampler = Wrong(position) }))
      end
      fails("argument", "positions from 1, got 0", run, 0)
      fails("argument", "positions from 1, got 1.5", run, 1.5)
      fails("argument", "sampler asks for sample 4; the dataset has 1 to 3", run, 4)
      assert.same({ { 3 } }, run(3))
    end)

    it("gives nothing for nothing", function()
      local loader = data.DataLoader(data.Subset(make(3), {}), { batch_size = 2 })
      assert.equal(0, loader:size())
      assert.same({}, lists(loader))
    end)

    it("names an unknown field of a batch", function()
      local next_batch, pass = data.DataLoader(make(2)):batches()
      local batch = next_batch(pass)
      assert.is_nil(batch[3])
      fails("argument", "batch has no 'image'", function() return batch.image end)
    end)
  end)
end

describe("DataLoader's options", function()
  local function make(o) return data.DataLoader(dataset(3), o) end

  it("refuses batch sizes that are none", function()
    for _, size in ipairs { 0, -1, 3.5, "8" } do
      fails("argument", "'batch_size' must be an integer >= 1, got", make, { batch_size = size })
    end
  end)

  it("refuses misspelt names and options that exclude each other", function()
    fails("argument", "unknown option 'shufle' %(did you mean 'shuffle'%?%)", make,
      { shufle = true })
    local sampler = data.SequentialSampler(dataset(3))
    fails("argument", "not both", make, { sampler = sampler, shuffle = true })
    fails("argument", "decides on", make, { batch_sampler = sampler, shuffle = true })
    fails("argument", "a dataset has size%(%) and get%(i%)", data.DataLoader, { dataset = {} })
    fails("argument", "'dataset' must be a table", data.DataLoader, 3)
  end)
end)

describe("Batches made in C", function()
  it("go through Subset of Concat with values and dtypes of the rows", function()
    local both = data.ConcatDataset({ dataset(3), dataset(4) })
    local loader = data.DataLoader(data.Subset(both, { 7, 1, 3, 4 }), { batch_size = 3 })
    assert.same({ { 4, 1, 3 }, { 1 } }, lists(loader))
    local next_batch, pass = loader:batches()
    assert.equal("u8", next_batch(pass)[2].dtype)
  end)

  it("keep every dtype and shape", function()
    local tensors = { pl.randn(6, 2, 3), pl.randn(6):to "f64", pl.arange(1, 6):to "i64",
      pl.arange(1, 6):to "i32", pl.randn(6, 1):gt(0), pl.randn(6, 2):to "bf16" }
    local next_batch, pass = data.DataLoader(data.TensorDataset(unpack(tensors)),
      { batch_size = 4 }):batches()
    for number, rows in ipairs { 4, 2 } do
      local batch = next_batch(pass)
      for k, t in ipairs(tensors) do
        local expected = t:narrow(1, number == 1 and 1 or 5, rows)
        assert.equal(t.dtype, batch[k].dtype)
        assert.equal(rows, batch[k]:size(1))
        assert.same(expected:totable(), batch[k]:totable())
      end
    end
  end)

  it("carry the names of a source's fields", function()
    local Named = class("Named", data.Dataset)
    function Named.size() return 2 end
    function Named:source()
      self.own = self.own or data.Source{ { pl.tensor { 1, 2 }, name = "input" },
        { pl.tensor { 3, 4 }, name = "target" } }
      return self.own
    end
    local next_batch, pass = data.DataLoader(Named(), { batch_size = 2 }):batches()
    local batch = next_batch(pass)
    assert.same({ 1, 2 }, batch.input:totable())
    assert.same({ 3, 4 }, batch.target:totable())
    fails("argument", "did you mean 'target'", function() return batch.targets end)
  end)

  it("are rewritten, and keep() copies them", function()
    local loader = data.DataLoader(dataset(40), { batch_size = 2 })
    local next_batch, pass = loader:batches()
    local first = next_batch(pass)[2]
    local kept = first:keep()
    local view = first:narrow(1, 1, 1):keep()
    for _ = 1, 19 do next_batch(pass) end
    assert.same({ 1, 2 }, kept:totable())
    assert.same({ 1 }, view:totable())
    assert.are_not.same({ 1, 2 }, first:totable())
  end)

  it("belong to no scope", function()
    local loader, batch = data.DataLoader(dataset(5), { batch_size = 2 }), nil
    local next_batch, pass = loader:batches()
    for _, labels in ipairs { { 1, 2 }, { 3, 4 }, { 5 } } do
      pl.scope(function() batch = next_batch(pass) end)
      assert.same(labels, batch[2]:totable())
    end
  end)

  it("get their own fields back after the user changed the table", function()
    local loader = data.DataLoader(dataset(20), { batch_size = 2 })
    for _ = 1, 2 do
      for batch in loader:batches() do
        assert.equal(2, batch[1]:dim())
        batch[1] = batch[1]:sum()
      end
    end
  end)

  it("make backward complain when the graph needs one that was rewritten", function()
    local w = pl.ones(2, 1, { requires_grad = true })
    local next_batch, pass = data.DataLoader(dataset(40), { batch_size = 4 }):batches()
    local loss = next_batch(pass)[1]:matmul(w):sum()
    for _ = 1, 3 do next_batch(pass) end
    assert.has_error(function() loss:backward() end)
    loss = next_batch(pass)[1]:matmul(w):sum()
    loss:backward()
    assert.same({ { 17 + 18 + 19 + 20 }, { -(17 + 18 + 19 + 20) } }, w.grad:totable())
  end)

  it("are written to devices without host memory", function()
    local loader = data.DataLoader(dataset(7), { batch_size = 3, device = "null" })
    local next_batch, pass = loader:batches()
    for _, rows in ipairs { 3, 3, 1 } do
      local batch = next_batch(pass)
      assert.equal("null:0", batch[1].device)
      assert.same({ rows, 2 }, batch[1].shape)
      assert.same({ rows }, batch[2].shape)
    end
  end)

  it("are the same with a thread that fills ahead", function()
    local function all(prefetch)
      local loader = data.DataLoader(dataset(100), { batch_size = 3, shuffle = true, seed = 1,
        prefetch = prefetch })
      local batches = lists(loader)
      for _, batch in ipairs(lists(loader)) do batches[#batches + 1] = batch end
      return batches
    end
    assert.same(all(false), all(true))
    assert.same(all(false), all(nil))
  end)

  it("survive that the thread's loop is left, many times", function()
    local loader = data.DataLoader(dataset(100), { batch_size = 1, prefetch = true })
    for round = 1, 30 do
      local seen = 0
      for batch in loader:batches() do
        seen = seen + 1
        assert.equal(seen, batch[2]:totable()[1])
        if seen == round then break end
      end
    end
    collectgarbage()
    assert.equal(100, #lists(loader))
  end)

  it("collect no garbage and make few tables", function()
    local loader = data.DataLoader(dataset(255), { batch_size = 1, prefetch = false })
    local next_batch, pass = loader:batches()
    for _ = 1, 20 do next_batch(pass) end
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    for _ = 1, 200 do next_batch(pass) end
    local grown = collectgarbage "count" - before
    collectgarbage "restart"
    assert.is_true(grown < 40, ("%.1f KB for 200 batches"):format(grown))
  end)
end)

describe("Batches made in Lua", function()
  local function loader_of(samples, o)
    local Samples = class("Samples", data.Dataset)
    function Samples.size() return #samples end
    function Samples.get(_, i)
      if type(samples[i]) == "function" then return samples[i]() end
      return samples[i]
    end
    return data.DataLoader(Samples(), o or { batch_size = #samples })
  end

  local function first(loader)
    local next_batch, pass = loader:batches()
    return next_batch(pass)
  end

  it("collate integers to i64, other numbers to f32, booleans to bool, stack tensors", function()
    local batch = first(loader_of {
      { whole = 1, part = 0.5, flag = true, name = "a", row = pl.tensor { 1, 2 } },
      { whole = 2, part = 3, flag = false, name = "b", row = pl.tensor { 3, 4 } },
    })
    assert.same({ 1, 2 }, batch.whole:totable())
    assert.equal("i64", batch.whole.dtype)
    assert.same({ 0.5, 3 }, batch.part:totable())
    assert.equal("f32", batch.part.dtype)
    assert.same({ true, false }, batch.flag:totable())
    assert.same({ "a", "b" }, batch.name)
    assert.same({ { 1, 2 }, { 3, 4 } }, batch.row:totable())
    fails("argument", "batch has no 'hole' %(did you mean 'whole'%?%)", function()
      return batch.hole
    end)
  end)

  it("stack scalars and views that are not contiguous", function()
    local matrix = pl.tensor { { 1, 2 }, { 3, 4 } }
    local columns = first(loader_of { matrix:t()[1], matrix:t()[2] })[1]
    assert.same({ { 1, 3 }, { 2, 4 } }, columns:totable())
    assert.same({ 4, 1 }, first(loader_of { matrix[{ 2, 2 }], matrix[{ 1, 1 }] })[1]:totable())
  end)

  it("say which samples do not go together", function()
    fails("shape", "field '1' is a tensor of shape 2 in sample 1 of the batch and a tensor of"
      .. " shape 3 in sample 2; give a collate_fn", first, loader_of { pl.ones(2), pl.ones(3) })
    fails("argument", "field '1' is a number in sample 1 of the batch and 'x' in sample 2", first,
      loader_of { 1, "x" })
    fails("argument", "field 'b' is missing in sample 2", first,
      loader_of { { b = 1 }, { a = 1 } })
  end)

  it("use the collate function given, for datasets with a source too", function()
    local batch = first(data.DataLoader(dataset(3), { batch_size = 3, collate_fn = function(samples)
      return { last = samples[3][2]:item(), n = #samples }
    end }))
    assert.same({ 3, 3 }, { batch.last, batch.n })
    fails("argument", "batch has no 'lost'", function() return batch.lost end)
  end)

  it("draw the same math.random for a sample whatever the order", function()
    local function draws(o)
      local Noisy = class("Noisy", data.Dataset)
      function Noisy.size() return 6 end
      function Noisy.get(_, i) return i, math.random() end
      o.seed = o.seed or 1
      local loader, out = data.DataLoader(Noisy(), o), {}
      loader:set_epoch(o.drop_last and 2 or 1)
      for batch in loader:batches() do
        local values = batch[2]:totable()
        for k, i in ipairs(batch[1]:totable()) do out[i] = values[k] end
      end
      return out
    end
    local plain = draws {}
    assert.are_not.equal(plain[1], plain[2])
    assert.same(plain, draws { shuffle = true, batch_size = 4 })
    assert.are_not.same(plain, draws { seed = 2 })
    assert.are_not.same(plain, draws { drop_last = true })
  end)

  it("raise the error of get", function()
    local loader = loader_of { function() error("no such picture", 0) end }
    local ok, e = pcall(first, loader)
    assert.is_false(ok)
    assert.equal("no such picture", e)
  end)

  it("come from an iterable dataset as long as it gives samples", function()
    local Count = class("Count", data.IterableDataset)
    function Count.iterate()
      local at = 0
      return function()
        at = at + 1
        if at <= 5 then return at, 0.5 end
      end
    end
    local loader, got = data.DataLoader(Count(), { batch_size = 2 }), {}
    assert.is_nil(loader:size())
    for batch in loader:batches() do got[#got + 1] = batch[1]:totable() end
    assert.same({ { 1, 2 }, { 3, 4 }, { 5 } }, got)
    got = {}
    for batch in data.DataLoader(Count(), { batch_size = 2, drop_last = true }):batches() do
      got[#got + 1] = batch[1]:totable()
    end
    assert.same({ { 1, 2 }, { 3, 4 } }, got)
    fails("argument", "gives its own order", data.DataLoader, Count(), { shuffle = true })
  end)
end)
