--- BatchSampler: which samples go together. This one cuts what a sampler gives into batches of one
-- size; a subclass with batches of its own gives `size()` and `iterate(epoch)`, lists of positions.

local class = require "perilune.class"
local errors = require "perilune.errors"
local positions = require "perilune.data.positions"
local Sampler = require "perilune.data.sampler"

local BatchSampler = class("BatchSampler")

BatchSampler.options = {
  { "sampler", type = "table", required = true, doc = "the order of the samples" },
  { "batch_size", type = "integer", min = 1, required = true, doc = "samples of a batch" },
  { "drop_last", false, doc = "leave out a last batch that is not full" },
}

function BatchSampler:init(o)
  o = BatchSampler:check(o)
  self.sampler, self.batch_size, self.drop_last = o.sampler, o.batch_size, o.drop_last
end

--- How many batches a pass has.
function BatchSampler:size()
  local n = self.sampler:size()
  return self.drop_last and math.floor(n / self.batch_size) or math.ceil(n / self.batch_size)
end

local function cut(self, seed, epoch)
  local n, batches, batch_size = self.sampler:size(), self:size(), self.batch_size
  local plan = { n = n, batches = batches, max_rows = batch_size,
    positions = positions.new(n), ends = positions.new(batches) }
  local fill = self.sampler.fill or Sampler.fill
  fill(self.sampler, plan.positions, seed, epoch)
  for b = 1, batches do plan.ends[b - 1] = math.min(b * batch_size, n) end
  return plan
end

local function check_list(self, list)
  if type(list) ~= "table" or #list == 0 then
    errors.raise("argument", class.name_of(self) .. ": a batch is a list of one position or more",
      { argument = "batch_sampler" })
  end
end

local function collect(self, epoch, limit)
  local all, ends, max_rows = {}, {}, 1
  for list in self:iterate(epoch) do
    check_list(self, list)
    for _, position in ipairs(list) do all[#all + 1] = position end
    ends[#ends + 1] = #all
    max_rows = math.max(max_rows, #list)
  end
  local array, n = positions.from_list(all, limit, class.name_of(self))
  local marks = positions.new(#ends)
  for b, last in ipairs(ends) do marks[b - 1] = last end
  return { n = n, batches = #ends, max_rows = max_rows, positions = array, ends = marks }
end

--- Everything a pass needs: { positions (int64, from 0), n, ends (of each batch), batches,
-- max_rows }.
-- @param seed the loader's seed
-- @param epoch from 1
-- @param limit how many samples the dataset has
function BatchSampler:plan(seed, epoch, limit)
  if self.iterate then return collect(self, epoch, limit) end
  return cut(self, seed, epoch)
end

return BatchSampler
