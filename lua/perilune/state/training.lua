--- The state of a training run as a whole: taken from a trainer between two updates, and laid over
-- one so that it goes on as if nothing had happened. parts.lua knows the parts; here are the
-- position in the run, the summary that is read first, and the checks.

local engine = require "perilune.engine"
local errors = require "perilune.errors"
local parts = require "perilune.state.parts"

local training = {}

local FORMAT = 1

local function size_of(dataset)
  return dataset and dataset.size and dataset:size() or nil
end

local function summary_of(trainer, options)
  local config = trainer.run_config
  return {
    format = FORMAT, time = os.time(), update = trainer.edge_update or trainer.update,
    epoch = trainer.run_history.current_epoch, step = trainer.epoch_step or 0,
    exact = trainer.edge_update == nil or trainer.edge_update == trainer.update,
    first_epoch = trainer.first_epoch or 1, first_update = trainer.first_update or 0,
    samples = size_of(trainer.train_dataset),
    batch_size = config and config.train_per_device_batch_size,
    accumulation = config and config.gradient_accumulation_steps,
    version = engine.version, device = trainer.device, level = engine.get("cpu", "level"),
    best = options.best,
  }
end

--- Take the state of a trainer.
-- @param options { best = { metric =, value =, greater_is_better = } }: why it is kept, if it is
--   one of the best
-- @return the model's state_dict
-- @return all the rest, plain data and tensors
function training.take(trainer, options)
  local state = { summary = summary_of(trainer, options) }
  for _, part in ipairs(parts) do state[part.name] = part.take(trainer) end
  return trainer.model:state_dict(), state
end

local kinds = {
  format = "number", update = "number", epoch = "number", step = "number", exact = "boolean",
  first_epoch = "number", first_update = "number", version = "string", device = "string",
  level = "number",
}

local function damaged(path, what)
  errors.raise("format", ("%s: the state is damaged: %s"):format(path, what))
end

-- The history is laid over before all else, so it is looked at here.
local function check_history(path, history)
  if type(history.metrics) ~= "table" or type(history.current_epoch) ~= "number"
    or type(history.metric_name_prefix) ~= "string" then
    damaged(path, "its history is none")
  end
  for _, metric in ipairs(history.metrics) do
    if type(metric) ~= "table" or type(metric.name) ~= "string"
      or type(metric.values) ~= "table" then
      damaged(path, "its history is none")
    end
  end
end

--- Is this a state that the code here can lay over a trainer?
-- @raise kind "format"
function training.check(path, state)
  local summary = state.summary
  if type(summary) ~= "table" then damaged(path, "it has no summary") end
  if type(summary.format) == "number" and summary.format ~= FORMAT then
    errors.raise("format", ("%s was written by another version of Perilune (format %g, this one "
      .. "reads %d)"):format(path, summary.format, FORMAT))
  end
  for name, kind in next, kinds do
    if type(summary[name]) ~= kind then damaged(path, ("its summary lacks '%s'"):format(name)) end
  end
  for _, name in ipairs{ "update", "epoch", "step", "first_epoch", "first_update" } do
    local count = summary[name]
    if not (count >= 0 and count < 2 ^ 53 and count % 1 == 0) then
      damaged(path, ("its %s is %g"):format(name, count))
    end
  end
  for _, name in ipairs{ "history", "random", "train_loss_tracker", "callbacks", "registered",
    "modes", "train_metrics" } do
    if type(state[name]) ~= "table" then damaged(path, ("it has no '%s'"):format(name)) end
  end
  check_history(path, state.history)
end

local function check_same(path, what, saved, now)
  if saved == now or saved == nil or now == nil then return end
  errors.raise("argument", ("%s was saved in the middle of an epoch with %s = %g; it is %g now, so "
    .. "the epoch cannot go on"):format(path, what, saved, now), { argument = "resume_from" })
end

--- Where in an epoch a state goes on must mean the same now.
function training.check_position(trainer, path, summary)
  if summary.step == 0 then return end
  local config = trainer.run_config
  check_same(path, "train_dataset:size()", summary.samples, size_of(trainer.train_dataset))
  check_same(path, "per_device_batch_size", summary.batch_size,
    config.train_per_device_batch_size)
  check_same(path, "gradient_accumulation_steps", summary.accumulation,
    config.gradient_accumulation_steps)
end

-- Exact means: same build, device and level. A difference is said and the run goes on.
local function differences(trainer, summary, problems)
  local now = { version = engine.version, device = trainer.device,
    level = engine.get("cpu", "level") }
  for _, name in ipairs{ "version", "device", "level" } do
    if now[name] ~= summary[name] then
      problems[#problems + 1] = ("it was saved with %s %s and goes on with %s, so numbers may "
        .. "differ"):format(name, tostring(summary[name]), tostring(now[name]))
    end
  end
  if not summary.exact then
    problems[#problems + 1] = "it was saved in the middle of an update, which is made again"
  end
end

--- Lay a state over a trainer.
-- @param path where it came from, for errors
-- @return a list of sentences: what was missing, left over or different
function training.lay(trainer, path, weights, state)
  local problems, summary = {}, state.summary
  differences(trainer, summary, problems)
  local ok, err = xpcall(function()
    trainer.model:load_state_dict(weights)
    for _, part in ipairs(parts) do
      local saved = state[part.name]
      part.lay(trainer, saved, problems)
    end
  end, errors.handler)
  if not ok then
    err.message = ("cannot go on from %s: %s"):format(path, err.message)
    error(err, 0)
  end
  trainer.update, trainer.edge_update = summary.update, summary.update
  trainer.epoch_step = summary.step
  return problems
end

return training
