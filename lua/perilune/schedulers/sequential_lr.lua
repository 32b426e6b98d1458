--- schedulers.SequentialLR: one scheduler after the other; each counts updates from its milestone.

local class = require "perilune.class"
local errors = require "perilune.errors"
local CombinedScheduler = require "perilune.schedulers.combined_scheduler"

local SequentialLR = class("SequentialLR", CombinedScheduler)
SequentialLR.options = {
  { "schedulers", type = "list", required = true, doc = "of the same optimizer, in order" },
  { "milestones", type = "list", required = true,
    doc = "after how many updates the next one takes over, rising" },
}

local function check_milestones(self, o)
  if #o.milestones ~= #o.schedulers - 1 then
    errors.raise("argument", ("%s: %d schedulers need %d milestones, got %d"):format(self.name,
      #o.schedulers, #o.schedulers - 1, #o.milestones), { argument = "milestones" })
  end
  for i = 2, #o.milestones do
    if o.milestones[i] <= o.milestones[i - 1] then
      errors.raise("argument", ("%s: milestones must rise, got %s after %s"):format(self.name,
        o.milestones[i], o.milestones[i - 1]), { argument = "milestones" })
    end
  end
end

function SequentialLR:init(o)
  o = SequentialLR:check(o)
  CombinedScheduler.init(self, o)
  check_milestones(self, o)
  self.milestones = o.milestones
  self:step_update(0)
end

function SequentialLR:get_updated_values(n)
  local i, start = 1, 0
  while self.milestones[i] and n >= self.milestones[i] do
    start, i = self.milestones[i], i + 1
  end
  return self:values_of(i, n - start)
end

return SequentialLR
