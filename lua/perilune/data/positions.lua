--- Lists of positions as C reads them: int64 arrays, counted from 0. Users count from 1, and only
-- this file converts.

local ffi = require "ffi"
local check = require "perilune.check"
local errors = require "perilune.errors"

local positions = {}

local array_type = ffi.typeof "int64_t[?]"

--- Room for n positions.
function positions.new(n)
  return array_type(math.max(n, 1))
end

--- Convert a Lua list.
-- @param list integers from 1
-- @param limit the largest position there is
-- @param label the caller, in errors
-- @return int64 array counted from 0, how many
function positions.from_list(list, limit, label)
  local n = #list
  local out = positions.new(n)
  for i = 1, n do
    local value = list[i]
    if type(value) ~= "number" or value % 1 ~= 0 or value < 1 or value > limit then
      errors.raise("argument", ("%s: index %d is %s; positions are integers from 1 to %d"):format(
        label, i, check.describe(value), limit), { argument = "indices" })
    end
    out[i - 1] = value - 1
  end
  return out, n
end

--- The plan of a pass (batch_sampler.lua) without its first batches.
-- @param skip how many, fewer than it has
-- @return another plan, which shares the positions
function positions.rest(plan, skip)
  local first = tonumber(plan.ends[skip - 1])
  local rest = { n = plan.n - first, batches = plan.batches - skip, max_rows = plan.max_rows,
    positions = plan.positions + first, ends = positions.new(plan.batches - skip), whole = plan }
  for b = 0, rest.batches - 1 do rest.ends[b] = plan.ends[b + skip] - first end
  return rest
end

-- Which batches a rank takes, from 0: every n-th; even ones begin again where the last are missing.
local function shared_batches(batches, rank, size, even)
  local list, turns = {}, math.ceil(batches / size)
  for turn = 0, turns - 1 do
    local b = turn * size + rank
    if b < batches or even then list[#list + 1] = b % batches end
  end
  return list
end

--- One rank's part of the plan of a pass (batch_sampler.lua): every n-th batch.
-- @param even whether every rank gets as many, the first ones again if need be
-- @return another plan
function positions.share(plan, rank, size, even)
  local list = shared_batches(plan.batches, rank, size, even)
  local share = { n = 0, batches = #list, max_rows = plan.max_rows, ends = positions.new(#list),
    positions = positions.new(#list * plan.max_rows) }
  for i, b in ipairs(list) do
    for at = b > 0 and tonumber(plan.ends[b - 1]) or 0, tonumber(plan.ends[b]) - 1 do
      share.positions[share.n] = plan.positions[at]
      share.n = share.n + 1
    end
    share.ends[i - 1] = share.n
  end
  return share
end

return positions
