--- How often something is done, one form for the whole library: { updates = 100 }, { batches = n },
-- { epochs = n } or { seconds = s }. Who uses one asks `due` at every edge with what it counts; the
-- clock of { seconds } is looked at when updates are counted, since that is where all ranks meet.

local check = require "perilune.check"
local class = require "perilune.class"
local engine = require "perilune.engine"
local errors = require "perilune.errors"

local Interval = class("Interval")

local units = { "updates", "batches", "epochs", "seconds" }

local schema = {}
for i, unit in ipairs(units) do
  schema[i] = { unit, type = unit == "seconds" and "number" or "integer", min = 0 }
end

--- @param spec { updates = n }, { batches = n }, { epochs = n } or { seconds = s }
-- @param label who asks, for errors: "ModelCheckpoint: every"
function Interval:init(spec, label)
  label = label or "every"
  if class.is_instance(spec, Interval) then spec = { [spec.unit] = spec.n } end
  if type(spec) ~= "table" or getmetatable(spec) then
    errors.raise("argument", ("%s must be { updates = n }, { batches = n }, { epochs = n } or "
      .. "{ seconds = s }, got %s"):format(label, check.describe(spec)), { argument = "every" })
  end
  local given = check.call(schema, label, spec)
  for _, unit in ipairs(units) do
    if given[unit] and self.unit then
      errors.raise("argument", ("%s has both %s and %s; give one"):format(label, self.unit, unit),
        { argument = "every" })
    elseif given[unit] then
      self.unit, self.n = unit, given[unit]
    end
  end
  if not self.unit or self.n <= 0 then
    errors.raise("argument", label .. " needs one of updates, batches, epochs and seconds, above 0",
      { argument = "every" })
  end
  self:start()
end

--- The clock begins now.
function Interval:start()
  self.since = self.unit == "seconds" and engine.clock() or nil
end

--- Is it time?
-- @param unit what has just been counted: "updates", "batches" or "epochs"
-- @param count how many of them there have been
-- @param group the process group whose clocks differ, and which has to agree; nil is this process
-- @return true at every n-th, and for { seconds } at the first update after they went by
function Interval:due(unit, count, group)
  if self.unit == unit then return count % self.n == 0 end
  if self.unit ~= "seconds" or unit ~= "updates" then return false end
  local over = engine.clock() - self.since >= self.n
  if group then over = group:any(over) end
  if not over then return false end
  self:start()
  return true
end

function Interval:__tostring()
  return ("every %g %s"):format(self.n, self.unit)
end

return Interval
