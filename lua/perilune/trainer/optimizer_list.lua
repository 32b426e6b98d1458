--- Several optimizers that look like one: `step` and `zero_grad` reach all of them, `param_groups`
-- are those of the first, then of the second... Each is reached by its position, and by its name
-- where it has one (`trainer.optimizer.generator`).

local class = require "perilune.class"
local errors = require "perilune.errors"
local suggest = require "perilune.suggest"

local OptimizerList = class("OptimizerList")

local function refuse(message)
  errors.raise("argument", "Trainer: " .. message, { argument = "optimizer" })
end

local function check_name(self, name, i)
  if type(name) ~= "string" then
    refuse(("optimizer %d must be an optimizer, or { \"name\", optimizer }"):format(i))
  elseif OptimizerList[name] ~= nil or name == "param_groups" or rawget(self, name) ~= nil then
    refuse(("an optimizer cannot be named '%s'"):format(name))
  end
end

--- @param list optimizers, or pairs { "generator", optimizer }
function OptimizerList:init(list)
  for i, entry in ipairs(list) do
    local optimizer = entry
    if type(entry) == "table" and not entry.step then
      check_name(self, entry[1], i)
      optimizer = entry[2]
      rawset(self, entry[1], optimizer)
    end
    if type(optimizer) ~= "table" or not (optimizer.step and optimizer.zero_grad) then
      refuse(("optimizer %d has no step and zero_grad"):format(i))
    end
    rawset(self, i, optimizer)
  end
end

-- Whatever is not one object with `step` must be a list.
function OptimizerList.of(optimizer)
  if optimizer == nil or optimizer.step then return optimizer end
  if optimizer[1] == nil then
    refuse("optimizer needs a step method, or is a list of optimizers")
  end
  return OptimizerList(optimizer)
end

local function joined_groups(self)
  local groups = {}
  for i = 1, #self do
    for _, group in ipairs(self[i].param_groups) do groups[#groups + 1] = group end
  end
  return groups
end

function OptimizerList:__index(key)
  if key == "param_groups" then return joined_groups(self) end
  local value = OptimizerList[key]
  if value == nil and type(key) == "string" and key:sub(1, 2) ~= "__" then
    errors.raise("argument", ("the trainer has no optimizer '%s'%s"):format(key,
      suggest.hint(key, suggest.keys(self))), { argument = "optimizer" })
  end
  return value
end

function OptimizerList:step()
  for i = 1, #self do self[i]:step() end
end

function OptimizerList:zero_grad()
  for i = 1, #self do self[i]:zero_grad() end
end

--- What each needs to go on, in order.
function OptimizerList:state_dict()
  local dict = { optimizers = {} }
  for i = 1, #self do dict.optimizers[i] = self[i]:state_dict() end
  return dict
end

function OptimizerList:load_state_dict(dict)
  local saved = dict.optimizers or {}
  if #saved ~= #self then
    errors.raise("argument", ("the state has %d optimizers, here are %d"):format(#saved, #self))
  end
  for i = 1, #self do self[i]:load_state_dict(saved[i]) end
end

return OptimizerList
