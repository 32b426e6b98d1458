--- Numbers in [0, 1) for the order of samples, drawn from (seed, epoch) by Philox.

local ffi = require "ffi"
local random = require "perilune.random"
local C = require "perilune.data.ffi"

local WORDS = 256

--- Start to draw.
-- @return a function that gives the next number, 53 bits of it
return function(seed, epoch)
  local words, at, round = ffi.new("uint32_t[?]", WORDS), WORDS, 0
  return function()
    if at == WORDS then
      -- Rounds from 2^16 on: those below are RandomSampler's permutations.
      local step = epoch + (2 ^ 16 + round) * 2 ^ 32
      C.pl_random_fill(seed, random.streams.shuffle, step, WORDS, words)
      at, round = 0, round + 1
    end
    at = at + 2
    return (words[at - 2] * 2 ^ 21 + words[at - 1] % 2 ^ 21) * 2 ^ -53
  end
end
