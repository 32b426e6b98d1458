--- The parts of a training state: how each is taken from a trainer and laid over one. Each part has
-- a name under which it is kept, `take(trainer)`, which may answer nil, and `lay(trainer, saved)`.
-- A part says itself what is missing or left over, in the list it is given.

local class = require "perilune.class"
local errors = require "perilune.errors"
local metrics = require "perilune.metrics"
local random = require "perilune.random"

local parts = {}

local function part(name, take, lay)
  parts[#parts + 1] = { name = name, take = take, lay = lay }
end

-- An object that is to be saved must be able to say its state.
local function state_of(object, what)
  if type(object.state_dict) ~= "function" or type(object.load_state_dict) ~= "function" then
    errors.raise("user", ("cannot save the training state: %s has no state_dict and "
      .. "load_state_dict"):format(what))
  end
  return object:state_dict()
end

local function part_of_field(field)
  part(field, function(trainer)
    local object = trainer[field]
    return object and state_of(object, "the " .. field)
  end, function(trainer, saved, problems)
    local object = trainer[field]
    if object and saved ~= nil then
      object:load_state_dict(saved)
    elseif object then
      problems[#problems + 1] = ("the state has no %s"):format(field)
    elseif saved ~= nil then
      problems[#problems + 1] = ("the state has a %s, this trainer none"):format(field)
    end
  end)
end

part_of_field "optimizer"
part_of_field "scheduler"

-- What the numbers of a run need to go on: a loss scale.
part("precision", function(trainer)
  local precision = trainer.strategy.precision
  return precision.state_dict and precision:state_dict() or nil
end, function(trainer, saved, problems)
  local precision = trainer.strategy.precision
  if saved ~= nil and precision.load_state_dict then
    precision:load_state_dict(saved)
  elseif saved ~= nil or precision.state_dict then
    problems[#problems + 1] = saved == nil and "the state has nothing for the precision"
      or "the state is of another precision"
  end
end)

-- A loss function may have parameters of its own.
part("loss_func", function(trainer)
  local loss = trainer.loss_func
  return type(loss) == "table" and loss.state_dict and loss:state_dict() or nil
end, function(trainer, saved)
  local loss = trainer.loss_func
  if saved and type(loss) == "table" and loss.load_state_dict then loss:load_state_dict(saved) end
end)

-- Which modules train and which parameters want gradients: frozen layers stay frozen.
part("modes", function(trainer)
  local model, modes = trainer.model, { training = {}, requires_grad = {} }
  for i, module in ipairs(model.modules and model:modules() or {}) do
    modes.training[i] = module.training and true or false
  end
  for i, parameter in ipairs(model:parameters()) do
    modes.requires_grad[i] = parameter.requires_grad
  end
  return modes
end, function(trainer, saved)
  local model = trainer.model
  for i, module in ipairs(model.modules and model:modules() or {}) do
    if type(saved.training[i]) == "boolean" then module.training = saved.training[i] end
  end
  for i, parameter in ipairs(model:parameters()) do
    local wanted = saved.requires_grad[i]
    if type(wanted) == "boolean" and wanted ~= parameter.requires_grad then
      parameter.requires_grad = wanted
    end
  end
end)

part("history", function(trainer)
  return trainer.run_history:state_dict()
end, function(trainer, saved)
  trainer.run_history:load_state_dict(saved)
end)

part("train_loss_tracker", function(trainer)
  return trainer.train_loss_tracker:state_dict()
end, function(trainer, saved)
  trainer.train_loss_tracker:load_state_dict(saved)
end)

part("train_losses", function(trainer)
  return trainer.train_measures:state_dict()
end, function(trainer, saved)
  trainer.train_measures:load_state_dict(saved or {})
end)

part("train_metrics", function(trainer)
  local saved = {}
  for i, metric in ipairs(trainer.train_metrics) do saved[i] = metrics.state_of(metric) end
  return saved
end, function(trainer, saved, problems)
  if #saved ~= #trainer.train_metrics then
    problems[#problems + 1] = ("the state has %d metrics of training, this trainer %d")
      :format(#saved, #trainer.train_metrics)
    return
  end
  for i, metric in ipairs(trainer.train_metrics) do metrics.load(metric, saved[i]) end
end)

-- Calls visit(key, callback) for every callback with a state: "EarlyStopping.1", or a table's name.
local function each_callback(trainer, visit)
  local counts, seen = {}, {}
  for _, callback in ipairs(trainer.callback_handler.callbacks) do
    local key
    if class.is_instance(callback, class.Object) then
      local name = class.name_of(callback)
      counts[name] = (counts[name] or 0) + 1
      key = name .. "." .. counts[name]
    elseif callback.state_dict then
      key = rawget(callback, "name")
      if type(key) ~= "string" then
        errors.raise("user", "a callback that is a plain table and has a state_dict needs a `name`")
      end
    end
    if callback.state_dict then
      if seen[key] then
        errors.raise("user", ("two callbacks keep their state as '%s'"):format(key))
      end
      seen[key] = true
      visit(key, callback)
    end
  end
end

-- Lays a table of states by key over objects by key, and lists what does not meet.
local function lay_keyed(saved, objects, what, problems)
  local keys = {}
  for key in next, saved do keys[#keys + 1] = key end
  for key in next, objects do
    if saved[key] == nil then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    if saved[key] == nil then
      problems[#problems + 1] = ("the state has nothing for the %s '%s'"):format(what, key)
    elseif not objects[key] then
      problems[#problems + 1] = ("the state has a %s '%s', this trainer none"):format(what, key)
    else
      objects[key]:load_state_dict(saved[key])
    end
  end
end

part("callbacks", function(trainer)
  local saved = {}
  each_callback(trainer, function(key, callback)
    saved[key] = state_of(callback, "the callback " .. key)
  end)
  return saved
end, function(trainer, saved, problems)
  local callbacks = {}
  each_callback(trainer, function(key, callback) callbacks[key] = callback end)
  lay_keyed(saved, callbacks, "callback", problems)
end)

part("registered", function(trainer)
  local saved = {}
  for name, object in next, trainer.registered_state or {} do
    saved[name] = state_of(object, ("'%s'"):format(name))
  end
  return saved
end, function(trainer, saved, problems)
  lay_keyed(saved, trainer.registered_state or {}, "registered object", problems)
end)

-- A subclass of Trainer may have a state of its own.
part("trainer", function(trainer)
  return trainer.state_dict and state_of(trainer, class.name_of(trainer)) or nil
end, function(trainer, saved)
  if saved ~= nil and trainer.load_state_dict then trainer:load_state_dict(saved) end
end)

-- The training loader is told its epoch; that of evaluation counts its passes itself.
part("eval_dataloader", function(trainer)
  local loader = trainer.eval_dataloader
  return loader and loader.state_dict and loader:state_dict() or nil
end, function(trainer, saved)
  local loader = trainer.eval_dataloader
  if saved ~= nil and loader and loader.load_state_dict then loader:load_state_dict(saved) end
end)

part("random", random.state, function(trainer, saved)
  random.load_state(saved)
  trainer.seed = saved.seed
end)

return parts
