--- Who talks to whom: the one object through which everything goes that all ranks must agree on
-- (stops, gathered values, printing once). This one is a world of a single process; a group of
-- many overrides the same methods. Ranks count from 0, as MPI prints them.

local class = require "perilune.class"

local ProcessGroup = class("ProcessGroup")

function ProcessGroup:init()
  self.rank, self.size = 0, 1
  self.local_rank = 0
end

--- True on the rank that prints and writes files.
function ProcessGroup:is_main()
  return self.rank == 0
end

--- True on every rank as soon as `flag` is true on one.
function ProcessGroup:any(flag)
  return flag
end

--- The tensors of all ranks, joined along the first dimension.
function ProcessGroup:gather(tensor)
  return tensor
end

--- The sum or the mean of a tensor over all ranks.
-- @param _op "sum" or "mean"
function ProcessGroup:reduce(tensor, _op)
  return tensor
end

--- Wait until all ranks are here.
function ProcessGroup:barrier() end

--- A value of one rank, on all: nil, a boolean, a number, a string, a tensor or a table of these.
-- @param _source the rank that has it, 0 if not given
function ProcessGroup:broadcast(value, _source)
  return value
end

--- The sums over all ranks of a list of numbers.
function ProcessGroup:sum(numbers)
  return numbers
end

--- What every rank gives, in the order of ranks: plain data and tensors.
-- @return a list
function ProcessGroup:all_gather(value)
  return { value }
end

return ProcessGroup
