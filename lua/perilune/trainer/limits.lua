--- Where a run ends, and how much of each loader it sees.

local check = require "perilune.check"
local clock = require("perilune.engine").clock
local errors = require "perilune.errors"

local limits = {}

local limit_options = {
  { "batches", type = "integer", min = 1, doc = "so many batches of each pass" },
  { "fraction", type = "number", min = 0, max = 1,
    doc = "this part of each pass, at least one batch" },
}

local function count_of(loader, limit, name)
  limit = check.call(limit_options, name, limit)
  if (limit.batches == nil) == (limit.fraction == nil) then
    errors.raise("argument", name .. ": give batches or fraction, as { batches = 10 }",
      { argument = name })
  end
  if limit.batches then return limit.batches end
  local size = loader.size and loader:size()
  if not size then
    errors.raise("argument", name .. ": a fraction needs a loader that knows its size; give "
      .. "{ batches = n }", { argument = name })
  end
  return math.max(1, math.floor(size * limit.fraction + 0.5))
end

--- The first batches of a loader.
-- @param limit { batches = n } or { fraction = f }; nil is no limit
-- @param name the option, in errors
function limits.sliced(loader, limit, name)
  if not limit then return loader end
  local count = count_of(loader, limit, name)
  return require("perilune.data").DataLoaderSlice(loader, count)
end

--- Evaluation sets like these, of their first `count` batches.
function limits.sliced_sets(sets, count)
  local sliced = {}
  for i, set in ipairs(sets) do
    sliced[i] = { name = set.name, dataset = set.dataset,
      dataloader = limits.sliced(set.dataloader, { batches = count }) }
  end
  return sliced
end

local function seconds_of(time)
  if type(time) == "number" then return time end
  local days, hours, minutes, seconds = time:match("^(%d+):(%d+):(%d+):(%d+)$")
  if not days then
    errors.raise("argument", ("Trainer:train: max_time must be seconds or \"DD:HH:MM:SS\", got "
      .. "'%s'"):format(time), { argument = "max_time" })
  end
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
end

--- Take over the bounds of a training run; they count from where the run began, also when it goes
-- on from a saved state.
function limits.start(self, o)
  local epoch, update = self.first_epoch, self.first_update
  local epochs = o.dry_run and 1 or o.num_epochs
  self.last_epoch = epoch + (epochs or math.huge) - 1
  self.last_update = update + (o.max_updates or math.huge)
  self.first_free_epoch = epoch + (o.min_epochs or 0)
  self.first_free_update = update + (o.min_updates or 0)
  self.max_time = o.max_time
  self.deadline = o.max_time and clock() + seconds_of(o.max_time) or nil
end

--- Whether a stop has to wait.
function limits.below_minimum(self)
  return self.update < self.first_free_update
    or self.run_history.current_epoch < self.first_free_epoch
end

--- Stop a run whose time is over.
function limits.check_time(self)
  if clock() < self.deadline then return end
  self:stop(("max_time (%s) is over"):format(tostring(self.max_time)))
  self.stop_now = true
end

return limits
