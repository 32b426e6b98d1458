--- The sample-weighted mean of the losses of an epoch. Losses stay on the device, in a ring of
-- slots; they are read together when somebody asks for a value, or when the ring is full. A ring
-- holds at most 100 losses, so no loss stays unread for more than 100 updates.

local class = require "perilune.class"
local ProcessGroup = require "perilune.process_group"

local LossTracker = class("LossTracker")

LossTracker.capacity = 100

--- @param device where the losses are; nil is the current one
-- @param process_group whose ranks the average is over; nil is this process alone
-- @param on_non_finite `on_non_finite(loss, update, step)` is called when a read finds the first
--   loss of an epoch that is NaN or infinite
function LossTracker:init(device, process_group, on_non_finite)
  self.device, self.process_group = device, process_group or ProcessGroup()
  self.on_non_finite = on_non_finite
  self.sizes, self.updates, self.steps = {}, {}, {}
  self:reset()
end

-- f64 holds the losses of every dtype as they are. Ring and slots, which are views of it, belong to
-- no scope.
local function make_ring(self)
  local create, adopt = require "perilune.create", require("perilune.tensor").adopt
  self.ring = create.zeros({ self.capacity }, { dtype = "f64", device = self.device })
  adopt(self.ring, 0)
  self.slots = {}
  for i = 1, self.capacity do
    self.slots[i] = self.ring:select(1, i)
    adopt(self.slots[i], 0)
  end
end

--- Forget everything: an epoch begins.
function LossTracker:reset()
  self.pending, self.last, self.sum, self.count = 0, nil, 0, 0
  self.non_finite = nil
end

--- Take the loss of a batch; nothing waits for the device.
-- @param loss tensor of one element, the mean over the batch
-- @param batch_size how many samples it is the mean of
-- @param update, step where in the run it belongs, for the report of one that is not finite
function LossTracker:update(loss, batch_size, update, step)
  if not self.ring then make_ring(self) end
  local n = self.pending + 1
  self.slots[n]:copy_(loss:detach())
  self.sizes[n], self.updates[n], self.steps[n] = batch_size, update, step
  self.pending = n
  if n == self.capacity then self:read() end
end

--- Bring the pending losses over from the device.
function LossTracker:read()
  local pending = self.pending
  if pending == 0 then return end
  self.pending = 0
  local losses, sizes = self.ring:totable(), self.sizes
  local bad
  for i = 1, pending do
    local loss = losses[i]
    self.sum = self.sum + loss * sizes[i]
    self.count = self.count + sizes[i]
    if loss - loss ~= 0 and not bad then bad = i end
  end
  self.last = losses[pending]
  if bad and not self.non_finite then
    self.non_finite = losses[bad]
    if self.on_non_finite then
      self.on_non_finite(losses[bad], self.updates[bad], self.steps[bad])
    end
  end
end

--- The newest loss; nil before the first.
function LossTracker:loss_value()
  self:read()
  return self.last
end

--- The sum of loss times batch size so far, on this rank.
function LossTracker:total_loss()
  self:read()
  return self.sum
end

--- How many samples the losses so far stand for, on this rank.
function LossTracker:running_count()
  self:read()
  return self.count
end

--- The mean loss of a sample so far, over all ranks; nil before the first.
function LossTracker:average()
  self:read()
  local sums = self.process_group:sum{ self.sum, self.count }
  if sums[2] > 0 then return sums[1] / sums[2] end
end

--- What the epoch has summed up so far.
function LossTracker:state_dict()
  self:read()
  return { sum = self.sum, count = self.count, last = self.last }
end

function LossTracker:load_state_dict(state)
  self:reset()
  self.sum, self.count, self.last = state.sum, state.count, state.last
end

return LossTracker
