--- schedulers.WSDLrScheduler: warmup, stable, decay. The value decays before each of several
-- checkpoints, each twice as far into the run as the one before, and is high again after it.
-- Source: Wen et al., Understanding warmup-stable-decay learning rates (2024), arXiv 2410.05192.

local class = require "perilune.class"
local errors = require "perilune.errors"
local placeholders = require "perilune.schedulers.placeholders"
local StatefulSchedulerBase = require "perilune.schedulers.stateful_scheduler_base"

local WSDLrScheduler = class("WSDLrScheduler", StatefulSchedulerBase)
WSDLrScheduler.options = {
  { "num_epochs", type = "number", min = 0,
    doc = "epochs of the run, with num_update_steps_per_epoch" },
  { "num_update_steps_per_epoch", type = "number", min = 1, doc = "optimizer updates of an epoch" },
  { "total_steps", type = "integer", min = 1, doc = "updates of the run, instead of both" },
  { "num_warmup_steps", 0, type = { "integer", "string" },
    doc = "updates of the warmup; 'auto' is a hundredth of the run" },
  { "decay_phase_ratio", 0.1, min = 0, max = 1, doc = "share of a period in which it decays" },
  { "lr_min", 1e-6, min = 0, doc = "where a decay ends, as a share of the group's value" },
  { "warmup_starting_lr", 1e-6, min = 0, doc = "where the warmup starts" },
  { "use_inverse_sqrt_decay", true, doc = "decay by 1 - sqrt(t); false: by 1 / t, steeper first" },
  { "num_checkpoints", 1, type = "integer", min = 1, doc = "how many decays" },
  { "is_continuation_from_checkpoint", false,
    doc = "no warmup, and a loaded state only says that a run went before" },
}

--- Where the checkpoints of a run lie: the last at its end, each of the others halfway to the next.
-- @return list of numbers of updates
function WSDLrScheduler.estimate_checkpoint_steps(total_steps, num_checkpoints)
  local steps = {}
  for i = 1, num_checkpoints do
    steps[i] = math.floor(total_steps / 2 ^ (num_checkpoints - i))
  end
  return steps
end

local function fail(self, argument, text, ...)
  errors.raise("argument", ("%s: " .. text):format(self.name, ...), { argument = argument })
end

local function total_of(self, o)
  local by_epochs = o.num_epochs and o.num_update_steps_per_epoch
  if by_epochs and o.total_steps then
    fail(self, "total_steps", "give num_epochs and num_update_steps_per_epoch, or total_steps,"
      .. " not both")
  end
  if by_epochs then return math.floor(o.num_epochs * o.num_update_steps_per_epoch + 0.5) end
  if not o.total_steps then
    fail(self, "total_steps", "give total_steps, or num_epochs and num_update_steps_per_epoch")
  end
  return o.total_steps
end

local function check_decay(self)
  local top = math.max(unpack(self:base_values()))
  if self.num_checkpoints > 1 and self.decay_phase_ratio > 1 / 3 then
    fail(self, "decay_phase_ratio", "with %d checkpoints 'decay_phase_ratio' must be at most 1/3,"
      .. " got %g: decays would overlap", self.num_checkpoints, self.decay_phase_ratio)
  end
  if self.total_steps < 2 ^ (self.num_checkpoints - 1) then
    fail(self, "num_checkpoints", "%d updates are too few for %d checkpoints", self.total_steps,
      self.num_checkpoints)
  end
  if self.warmup_starting_lr > top then
    fail(self, "warmup_starting_lr", "'warmup_starting_lr' is %g, above the largest initial value"
      .. " %g", self.warmup_starting_lr, top)
  end
  if self.lr_min == 0 and not self.use_inverse_sqrt_decay then
    fail(self, "lr_min", "'lr_min' must be above 0 unless use_inverse_sqrt_decay")
  end
end

--- The periods between checkpoints.
local function decay_info(self)
  local list, start = {}, 0
  for i, stop in ipairs(self.checkpoint_steps) do
    local decay = math.floor((stop - start) * self.decay_phase_ratio)
    list[i] = { period_start = start, period_end = stop, decay_steps = decay,
      pre_decay_step = stop - decay }
    start = stop
  end
  return list
end

local function warmup_of(self, o)
  if o.num_warmup_steps == "auto" then return math.floor(0.01 * self.total_steps) end
  if type(o.num_warmup_steps) == "string" then
    fail(self, "num_warmup_steps", "'num_warmup_steps' must be an integer or 'auto', got '%s'",
      o.num_warmup_steps)
  end
  return o.num_warmup_steps
end

function WSDLrScheduler:init(o)
  o = WSDLrScheduler:check(o)
  StatefulSchedulerBase.init(self, o)
  self.total_steps = total_of(self, o)
  self.num_warmup_steps = warmup_of(self, o)
  self.decay_phase_ratio, self.lr_min = o.decay_phase_ratio, o.lr_min
  self.warmup_starting_lr = o.warmup_starting_lr
  self.use_inverse_sqrt_decay = o.use_inverse_sqrt_decay
  self.num_checkpoints = o.num_checkpoints
  self.is_continuation_from_checkpoint = o.is_continuation_from_checkpoint
  check_decay(self)
  self.checkpoint_steps = self.estimate_checkpoint_steps(self.total_steps, o.num_checkpoints)
  self.decay_info = decay_info(self)
  self:step_update(0)
end

--- After how many updates checkpoints are due.
function WSDLrScheduler:get_checkpoint_steps()
  return self.checkpoint_steps
end

--- All periods: list of { period_start, period_end, decay_steps, pre_decay_step }.
function WSDLrScheduler:get_decay_info()
  return self.decay_info
end

--- The period in which a number of updates lies; the last one for what comes after.
function WSDLrScheduler:get_phase_info(num_updates)
  for _, info in ipairs(self.decay_info) do
    if num_updates <= info.period_end then return info end
  end
  return self.decay_info[#self.decay_info]
end

--- The number of updates made so far.
function WSDLrScheduler:get_current_step()
  return self.num_updates
end

--- The period in which the run is.
function WSDLrScheduler:get_current_phase_info()
  return self:get_phase_info(self.num_updates)
end

-- The share of the group's value after t of a decay.
local function decayed(self, t)
  if self.use_inverse_sqrt_decay then
    return self.lr_min + (1 - self.lr_min) * (1 - math.sqrt(t))
  end
  return 1 / (t / self.lr_min + 1 - t)
end

-- A period ends before the update at which the next one starts high again.
local function share_at(self, n)
  local info = self.decay_info[#self.decay_info]
  for _, candidate in ipairs(self.decay_info) do
    if n < candidate.period_end then
      info = candidate
      break
    end
  end
  if n < info.pre_decay_step or info.decay_steps == 0 then return 1 end
  return decayed(self, math.min((n - info.pre_decay_step) / info.decay_steps, 1))
end

function WSDLrScheduler:get_updated_values(n)
  local values, start, warmup = self:base_values(), self.warmup_starting_lr, self.num_warmup_steps
  local warming = n < warmup and not self.is_continuation_from_checkpoint
  for i, base in ipairs(values) do
    values[i] = warming and start + n / warmup * (base - start) or base * share_at(self, n)
  end
  return values
end

--- Go on where the state was; a continuation keeps its own settings and starts at update 0.
function WSDLrScheduler:load_state_dict(state)
  if not self.is_continuation_from_checkpoint then
    return StatefulSchedulerBase.load_state_dict(self, state)
  end
  self:step_update(0)
end

--- As of every scheduler, and `num_warmup_epochs` instead of num_warmup_steps; a hundredth of the
-- run when neither is given.
function WSDLrScheduler:resolve_options(given, run)
  local out, epochs = {}, given.num_warmup_epochs
  for name, value in pairs(given) do out[name] = value end
  out.num_warmup_epochs = nil
  if not out.total_steps then
    out.num_epochs = out.num_epochs or placeholders.num_epochs
    out.num_update_steps_per_epoch = out.num_update_steps_per_epoch
      or placeholders.num_update_steps_per_epoch
  end
  out = StatefulSchedulerBase.resolve_options(self, out, run)
  if epochs then
    local per_epoch = out.num_update_steps_per_epoch or placeholders.num_update_steps_per_epoch(run)
    out.num_warmup_steps = math.floor(epochs * per_epoch + 0.5)
  elseif out.num_warmup_steps == nil then
    out.num_warmup_steps = "auto"
  end
  return out
end

return WSDLrScheduler
