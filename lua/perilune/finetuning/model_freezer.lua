--- finetuning.ModelFreezer: freeze and unfreeze the parts of a model. A layer group is a direct
-- child of the model, counted from 1, or from the last with negative numbers; a layer is a module
-- of a group that has no children or has parameters of its own. Parameters that the model holds
-- itself belong to no group and stay as they are. A frozen layer that was set to evaluation stays
-- so when the model goes back to training, until it is unfrozen.

local class = require "perilune.class"
local check = require "perilune.check"
local errors = require "perilune.errors"
local Module = require "perilune.nn.module"

local ModelFreezer = class("ModelFreezer")
ModelFreezer.options = {
  { "model", type = Module, required = true, doc = "what to freeze; begins unfrozen" },
  { "freeze_batch_norms", false, doc = "freeze batch norms too; else they go on learning" },
}

--- The names of the parameters a module holds itself, and the parameters.
local function own_parameters(module)
  local list = {}
  for name, parameter in module:named_parameters() do
    if not name:find(".", 1, true) then list[#list + 1] = parameter end
  end
  return list
end

local function is_batch_norm(module)
  local c = getmetatable(module)
  while c do
    local name = rawget(c, "name")
    if name and (name:find("^BatchNorm") or name == "SyncBatchNorm") then return true end
    c = rawget(c, "super")
  end
  return false
end

local function each_layer(self, visit)
  local position = 0
  for group_name, group in self.model:named_children() do
    position = position + 1
    for path, module in group:named_modules() do
      local parameters = own_parameters(module)
      if #parameters > 0 or #module:children() == 0 then
        visit(position, path == "" and group_name or group_name .. "." .. path, module, parameters)
      end
    end
  end
end

local function any_frozen(parameters)
  for _, p in ipairs(parameters) do
    if not p.requires_grad then return true end
  end
  return false
end

local function set_mode(module, training)
  rawset(module, "training", training)
  rawset(module, "_stays_in_eval", not training or nil)
end

function ModelFreezer:init(o)
  o = ModelFreezer:check(o)
  self.model, self.freeze_batch_norms = o.model, o.freeze_batch_norms
  self.num_groups = #o.model:children()
  if self.num_groups == 0 then
    errors.raise("argument", ("ModelFreezer: the model, a %s, has no children to freeze"):format(
      class.name_of(o.model)), { argument = "model" })
  end
  o.model:requires_grad_(true)
  for _, module in ipairs(o.model:modules()) do rawset(module, "_stays_in_eval", nil) end
end

--- All layer groups in order.
-- @return list of { layer_group_idx = { from the first, from the last }, name, module, is_frozen };
--   frozen is a group with a frozen parameter
function ModelFreezer:get_layer_groups()
  local list = {}
  for name, module in self.model:named_children() do
    local i = #list + 1
    list[i] = { layer_group_idx = { i, i - self.num_groups - 1 }, name = name, module = module,
      is_frozen = any_frozen(module:parameters()) }
  end
  return list
end

--- All layers in order.
-- @return list of { layer_group_idx = { from the first, from the last }, name = path, module,
--   is_frozen }; a layer without parameters is frozen when it is in evaluation mode
function ModelFreezer:get_layers()
  local list = {}
  each_layer(self, function(i, name, module, parameters)
    local frozen = any_frozen(parameters)
    if #parameters == 0 then frozen = not module.training end
    list[#list + 1] = { layer_group_idx = { i, i - self.num_groups - 1 }, name = name,
      module = module, is_frozen = frozen }
  end)
  return list
end

--- The parameters that training changes.
function ModelFreezer:get_trainable_parameters()
  local list = {}
  for _, p in ipairs(self.model:parameters()) do
    if p.requires_grad then list[#list + 1] = p end
  end
  return list
end

local function position_of(self, label, name, index)
  local position = index < 0 and index + self.num_groups + 1 or index
  if position >= 1 and position <= self.num_groups then return position end
  errors.raise("argument", ("%s: '%s' is %d, the model has %d layer groups (1..%d, or -1..-%d from"
    .. " the end)"):format(label, name, index, self.num_groups, self.num_groups, self.num_groups),
    { argument = name })
end

local function range_of(self, label, o)
  local first = position_of(self, label, "from_index", o.from_index)
  local last = position_of(self, label, "to_index", o.to_index)
  return math.min(first, last), math.max(first, last)
end

--- Parameters of a layer whose state is to change, changed.
local function switch(parameters, requires_grad)
  local changed = {}
  for _, p in ipairs(parameters) do
    if p.requires_grad ~= requires_grad then
      p:requires_grad_(requires_grad)
      p.grad = nil
      changed[#changed + 1] = p
    end
  end
  return changed
end

local freeze_options = {
  { "from_index", 1, type = "integer", doc = "the first layer group" },
  { "to_index", -2, type = "integer", doc = "the last one, included" },
  { "set_modules_as_eval", false, doc = "evaluation mode for the frozen layers" },
}

--- Freeze layer groups, by default all but the last: their parameters require no gradient, and the
-- one they have is dropped, so that no optimizer moves them.
-- @param options { from_index = 1, to_index = -2, set_modules_as_eval = false }
function ModelFreezer:freeze(options)
  local o = check.call(freeze_options, "ModelFreezer:freeze", options or {})
  local first, last = range_of(self, "ModelFreezer:freeze", o)
  each_layer(self, function(i, _, module, parameters)
    if i < first or i > last then return end
    if is_batch_norm(module) and not self.freeze_batch_norms then return end
    switch(parameters, false)
    if o.set_modules_as_eval then set_mode(module, false) end
  end)
end

local unfreeze_options = {
  { "from_index", -1, type = "integer", doc = "the first layer group" },
  { "to_index", 1, type = "integer", doc = "the last one, included" },
  { "set_modules_as_training", true, doc = "training mode for the layers" },
}

--- Unfreeze layer groups, by default all.
-- @param options { from_index = -1, to_index = 1, set_modules_as_training = true }
-- @return a list of { params = the parameters that were frozen }, one for each layer group that had
--   some, in order, as optimizer:add_param_group takes them; and the list of their positions
function ModelFreezer:unfreeze(options)
  local o = check.call(unfreeze_options, "ModelFreezer:unfreeze", options or {})
  local first, last = range_of(self, "ModelFreezer:unfreeze", o)
  local groups, positions = {}, {}
  each_layer(self, function(i, _, module, parameters)
    if i < first or i > last then return end
    if o.set_modules_as_training then set_mode(module, true) end
    local changed = switch(parameters, true)
    if #changed == 0 then return end
    if positions[#positions] ~= i then
      groups[#groups + 1], positions[#positions + 1] = { params = {} }, i
    end
    local params = groups[#groups].params
    for _, p in ipairs(changed) do params[#params + 1] = p end
  end)
  return groups, positions
end

return ModelFreezer
