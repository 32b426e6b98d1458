--- Checkpoints: one safetensors file with a model's weights under their own names, which PyTorch
-- loads, and on request the state of the optimizer and the scheduler beside them. What is no tensor
-- travels in the file's metadata, as text.

local codec = require "perilune.state.codec"
local directory = require "perilune.state.directory"
local errors = require "perilune.errors"
local names = require "perilune.state.names"
local safetensors = require "perilune.safetensors"

local checkpoint = {}

-- Names of tensors that are no weights begin so; no module can be called that.
local PREFIX = "@perilune"

local function gather(trainer, o)
  local extra = { values = o.values or {} }
  for _, name in ipairs{ "optimizer", "scheduler" } do
    local object = o["save_" .. name] and trainer[name]
    if object and not object.state_dict then
      errors.raise("user", ("save_checkpoint: the %s has no state_dict()"):format(name))
    end
    extra[name] = object and object:state_dict() or nil
  end
  return extra
end

local function add_all(tensors, more)
  for _, name in ipairs(more) do
    tensors[#tensors + 1] = name
    tensors[name] = more[name]
  end
end

--- Write a checkpoint.
-- @param path the file; its directory is made
-- @param o { save_optimizer =, save_scheduler =, values = plain data }
-- @param saver who does it
-- @param when_over when_over(err), as the saver calls it
function checkpoint.write(trainer, path, o, saver, when_over)
  local parent = path:match("^(.*[^/])/+[^/]+$")
  if parent then directory.make(parent) end
  local tensors = names.to_file(trainer.model:state_dict())
  for _, name in ipairs(tensors) do
    if name:sub(1, #PREFIX) == PREFIX then
      errors.raise("argument", ("save_checkpoint: a parameter cannot be called '%s'"):format(name))
    end
  end
  local text, more = codec.encode(gather(trainer, o), PREFIX)
  add_all(tensors, more)
  saver:save(path, { { tensors = tensors, metadata = { format = "pt", perilune = text } } },
    when_over)
end

-- The weights alone, and the other tensors.
local function split(tensors)
  local weights, others = {}, {}
  for _, name in ipairs(tensors) do
    local to = name:sub(1, #PREFIX) == PREFIX and others or weights
    to[#to + 1] = name
    to[name] = tensors[name]
  end
  return weights, others
end

local function load_part(trainer, name, saved)
  if saved == nil then return end
  if not trainer[name] then
    errors.raise("argument", ("load_checkpoint: the file has a %s, this trainer none "
      .. "(load_%s = false leaves it out)"):format(name, name))
  end
  trainer[name]:load_state_dict(saved)
end

--- Load a checkpoint, or any safetensors file with the model's weights.
-- @param o { load_optimizer =, load_scheduler =, strict = }
-- @return the `values` it was saved with
function checkpoint.load(trainer, path, o)
  local tensors, metadata = safetensors.load(path)
  local weights, others = split(tensors)
  local extra = metadata.perilune and codec.decode(metadata.perilune, others) or {}
  if type(extra) ~= "table" then
    errors.raise("format", path .. ": the checkpoint is damaged: its metadata is no table")
  end
  trainer.model:load_state_dict(names.from_file(weights), { strict = o.strict })
  if o.load_optimizer then load_part(trainer, "optimizer", extra.optimizer) end
  if o.load_scheduler then load_part(trainer, "scheduler", extra.scheduler) end
  return extra.values or {}
end

return checkpoint
