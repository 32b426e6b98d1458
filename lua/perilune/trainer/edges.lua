--- The edges of a run's steps, where all ranks agree on whether it goes on.

local engine = require "perilune.engine"
local errors = require "perilune.errors"
local limits = require "perilune.trainer.limits"
local saving = require "perilune.state.saving"
local stepping = require "perilune.trainer.stepping"

local edges = {}

--- Whether the run has been told to stop, which all ranks agree on here.
function edges.stopped(self)
  if self.has_stopped then return true end
  if self.deadline then limits.check_time(self) end
  if not self.process_group:any(self.stop_requested) then return false end
  if limits.below_minimum(self) and not self.process_group:any(self.stop_now) then return false end
  self.has_stopped = true
  self:emit("on_stop_training", self.stop_reason)
  return true
end

--- A signal to stop, of any rank; Ctrl-C pauses a run of the session. An evaluation within a
-- training run is no edge.
function edges.check_interrupt(self)
  if not self.process_group:any(engine.interrupted() > 0) then return end
  local name, exit_code = engine.take_interrupt()
  if name == "Ctrl-C" and stepping.rest(self) then return end
  local where = ("interrupted by %s in epoch %d after update %d"):format(name,
    self.run_history.current_epoch, self.update)
  if not self.train_dataloader then
    errors.raise("interrupted", where, { exit_code = exit_code })
  end
  local what, path = saving.interrupted(self)
  errors.raise("interrupted", where .. "; " .. what, { exit_code = exit_code, saved_state = path })
end

return edges
