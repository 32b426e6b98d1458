--- Where random numbers of a sample or a batch come from: (seed, epoch, sample), whoever makes it
-- and in whatever order. A loader says which sample is next; `math.random` is seeded then, and the
-- steps in C draw from `draws.key()`. Outside a loader they draw from `math.random` as it stands.

local ffi = require "ffi"
local random = require "perilune.random"
local C = require "perilune.data.ffi"

local draws = {}

local words = ffi.new "uint32_t[2]"
local key = ffi.new "pl_key"
local of_loader, calls = false, 0

-- 53 bits drawn from (seed, epoch, i): what math.randomseed can tell apart.
local function seed_random(stream, seed, epoch, i)
  C.pl_random_fill(seed, stream, epoch * 2 ^ 32 + i, 2, words)
  math.randomseed(words[0] * 2 ^ 21 + words[1] % 2 ^ 21)
end

--- The next sample that is made is this one.
-- @param seed the loader's
-- @param epoch from 1
-- @param i the sample's position, from 1
function draws.begin_sample(seed, epoch, i)
  key.seed, key.epoch, key.sample = seed, epoch, i
  of_loader, calls = true, 0
  seed_random(random.streams.worker, seed, epoch, i)
end

--- The samples of a batch are made.
function draws.end_samples()
  of_loader = false
end

--- The next batch that is changed is the one whose first sample is this.
function draws.begin_batch(seed, epoch, i)
  seed_random(random.streams.batch, seed, epoch, i)
end

--- The key of the sample at hand, a pl_key, and the number of this call: 0, 1, ... in a sample.
function draws.key()
  if not of_loader then
    key.seed, key.epoch, key.sample = math.random(0, 2 ^ 31 - 1), 0, math.random(1, 2 ^ 31 - 1)
    calls = 0
  end
  calls = calls + 1
  return key, calls - 1
end

return draws
