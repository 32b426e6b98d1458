--- BucketBatchSampler(lengths, batch_size): batches of samples of about one length, so that little
-- is padded. The order is shuffled, cut into buckets of some batches, each bucket sorted by length
-- and cut into batches, and these are shuffled; all of it drawn from (seed, epoch).

local check = require "perilune.check"
local class = require "perilune.class"
local errors = require "perilune.errors"
local random = require "perilune.random"
local C = require "perilune.data.ffi"
local positions = require "perilune.data.positions"

local BucketBatchSampler = class("BucketBatchSampler")

BucketBatchSampler.options = {
  { "lengths", type = { "list", "tensor" }, required = true, doc = "of each sample" },
  { "batch_size", type = "integer", min = 1, required = true, doc = "samples of a batch" },
  { "bucket_batches", 100, type = "integer", min = 1,
    doc = "batches of a bucket: more mean less padding, fewer a more random order" },
  { "shuffle", true, doc = "false: all samples in one bucket, the shortest first" },
  { "drop_last", false, doc = "leave out batches that are not full" },
}

local function check_lengths(lengths)
  for i, length in ipairs(lengths) do
    if type(length) ~= "number" or length ~= length then
      errors.raise("argument", ("BucketBatchSampler: length %d must be a number, got %s"):format(i,
        check.describe(length)), { argument = "lengths" })
    end
  end
  return lengths
end

function BucketBatchSampler:init(o)
  o = BucketBatchSampler:check(o)
  self.lengths = check_lengths(check.is_tensor(o.lengths) and o.lengths:totable() or o.lengths)
  self.batch_size, self.shuffle, self.drop_last = o.batch_size, o.shuffle, o.drop_last
  self.bucket_batches = o.bucket_batches
end

--- How many batches a pass has: only the last bucket may have one that is not full.
function BucketBatchSampler:size()
  local n = #self.lengths
  return self.drop_last and math.floor(n / self.batch_size) or math.ceil(n / self.batch_size)
end

local function permutation(seed, step, n)
  local order = positions.new(n)
  C.pl_random_permutation(seed, random.streams.shuffle, step, n, order)
  return order
end

-- All samples from 0, in the order in which they fall into buckets.
local function in_order(self, seed, epoch)
  local n, list = #self.lengths, {}
  local order = self.shuffle and permutation(seed, epoch, n)
  for k = 1, n do list[k] = order and tonumber(order[k - 1]) or k - 1 end
  return list
end

-- Equal lengths keep their order, which was drawn.
local function sort_bucket(self, list, first, last)
  local bucket, place, lengths = {}, {}, self.lengths
  for k = first, last do
    bucket[k - first + 1] = list[k]
    place[list[k]] = k
  end
  table.sort(bucket, function(a, b)
    local x, y = lengths[a + 1], lengths[b + 1]
    if x ~= y then return x < y end
    return place[a] < place[b]
  end)
  for k = first, last do list[k] = bucket[k - first + 1] end
end

local function sorted(self, seed, epoch)
  local list = in_order(self, seed, epoch)
  local width = self.shuffle and self.bucket_batches * self.batch_size or math.max(#list, 1)
  for first = 1, #list, width do
    sort_bucket(self, list, first, math.min(first + width - 1, #list))
  end
  return list
end

--- Everything a pass needs; see BatchSampler:plan.
function BucketBatchSampler:plan(seed, epoch, limit)
  local list, batches, size = sorted(self, seed, epoch), self:size(), self.batch_size
  if #list ~= limit then
    errors.raise("argument", ("BucketBatchSampler: there are %d lengths, but the dataset has %d"
      .. " samples"):format(#list, limit), { argument = "lengths" })
  end
  local plan = { n = 0, batches = batches, max_rows = size, positions = positions.new(#list),
    ends = positions.new(batches) }
  local order = self.shuffle and permutation(seed, epoch + 2 ^ 32, batches)
  for b = 0, batches - 1 do
    local first = size * (order and tonumber(order[b]) or b)
    for k = first + 1, math.min(first + size, #list) do
      plan.positions[plan.n] = list[k]
      plan.n = plan.n + 1
    end
    plan.ends[b] = plan.n
  end
  return plan
end

return BucketBatchSampler
