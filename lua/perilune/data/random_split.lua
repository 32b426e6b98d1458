--- random_split(dataset, { 55000, 5000 }): subsets that share no sample, drawn at random.

local check = require "perilune.check"
local errors = require "perilune.errors"
local random = require "perilune.random"
local C = require "perilune.data.ffi"
local Subset = require "perilune.data.subset"
local positions = require "perilune.data.positions"

local options = {
  { "dataset", type = "table", required = true, doc = "what to split" },
  { "sizes", type = "list", required = true, doc = "samples of each part, or fractions" },
  { "seed", type = "integer", doc = "draw from this seed instead of pl.manual_seed's" },
}

local function refuse(message, ...)
  errors.raise("argument", ("random_split: " .. message):format(...), { argument = "sizes" })
end

local function sum_of(sizes)
  local sum = 0
  for k, size in ipairs(sizes) do
    if type(size) ~= "number" or size - size ~= 0 then
      refuse("size %d must be a number, got %s", k, check.describe(size))
    end
    sum = sum + size
  end
  return sum
end

local function are_fractions(sizes, sum)
  if math.abs(sum - 1) > 1e-6 then return false end
  for _, size in ipairs(sizes) do
    if size % 1 ~= 0 then return true end
  end
  return false
end

-- Rounded down; what is left goes one by one to the first parts.
local function from_fractions(fractions, n)
  local sizes, left = {}, n
  for k, fraction in ipairs(fractions) do
    sizes[k] = math.floor(n * fraction)
    left = left - sizes[k]
  end
  for k = 1, left do
    local part = (k - 1) % #sizes + 1
    sizes[part] = sizes[part] + 1
  end
  return sizes
end

local function check_sizes(sizes)
  for k, size in ipairs(sizes) do
    if size % 1 ~= 0 or size < 0 then
      refuse("size %d must be a whole number of samples, got %s", k, tostring(size))
    elseif size == 0 then
      refuse("part %d would be empty", k)
    end
  end
end

local function part_sizes(sizes, n)
  if #sizes == 0 then refuse("give it the size of one part or more") end
  local sum = sum_of(sizes)
  if are_fractions(sizes, sum) then
    sizes = from_fractions(sizes, n)
  elseif sum ~= n then
    check_sizes(sizes)
    refuse("the sizes %s add up to %s, but the dataset has %d samples",
      table.concat(sizes, " + "), tostring(sum), n)
  end
  check_sizes(sizes)
  return sizes
end

local function draw(seed, n)
  local step = 0
  if not seed then
    seed, step = random.initial_seed(), random.splits or 0
    random.splits = step + 1
  end
  local order = positions.new(n)
  C.pl_random_permutation(seed, random.streams.split, step, n, order)
  return order
end

--- Split a dataset at random.
-- @param dataset the dataset
-- @param sizes list of sample counts that add up to its size, or of fractions that add up to 1
-- @param o optional { seed = n }
-- @return one Subset for each size
local function random_split(...)
  local o = check.call(options, "random_split", ...)
  local n = o.dataset:size()
  local sizes = part_sizes(o.sizes, n)
  local order, first, parts = draw(o.seed, n), 0, {}
  for k, size in ipairs(sizes) do
    parts[k] = Subset.of_positions(o.dataset, order, first, size)
    first = first + size
  end
  return unpack(parts)
end

return random_split
