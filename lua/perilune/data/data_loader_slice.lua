--- The first batches of every pass of a loader. It stands in for the loader wherever a Trainer
-- reads one.

local class = require "perilune.class"

local DataLoaderSlice = class("DataLoaderSlice")

DataLoaderSlice.options = {
  { "dataloader", type = "table", required = true, doc = "an object with batches()" },
  { "num_batches", type = "integer", min = 1, required = true, doc = "how many of each pass" },
}

function DataLoaderSlice:init(o)
  o = DataLoaderSlice:check(o)
  self.dataloader, self.num_batches = o.dataloader, o.num_batches
  self.dataset, self.batch_size = o.dataloader.dataset, o.dataloader.batch_size
end

--- How many batches a pass has at most.
function DataLoaderSlice:size()
  local whole = self.dataloader.size and self.dataloader:size()
  return whole and math.min(whole, self.num_batches) or self.num_batches
end

--- Choose the epoch of the next pass.
function DataLoaderSlice:set_epoch(epoch)
  if self.dataloader.set_epoch then self.dataloader:set_epoch(epoch) end
end

local Pass = {}
Pass.__index = Pass

--- End the pass early.
function Pass:close()
  local state = self.state
  self.state = nil
  if type(state) == "table" and state.close then state:close() end
end

local function next_batch(pass)
  if pass.left == 0 then
    pass:close()
    return nil
  end
  pass.left = pass.left - 1
  pass.batch = pass.next(pass.state, pass.batch)
  if pass.batch == nil then pass.left = 0 end
  return pass.batch
end

--- Start a pass.
-- @return what a `for` loop takes; the second value has `close()`
function DataLoaderSlice:batches()
  local pass = setmetatable({ left = self.num_batches }, Pass)
  pass.next, pass.state, pass.batch = self.dataloader:batches()
  return next_batch, pass
end

return DataLoaderSlice
