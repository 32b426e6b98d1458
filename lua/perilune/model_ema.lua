--- ModelEma: a copy of a model whose parameters and buffers are moving averages of the model's,
-- moved after each optimizer update: average = decay * average + (1 - decay) * new. Tensors that
-- are not floating are copied. The averages can take the model's place for an evaluation.

local class = require "perilune.class"
local check = require "perilune.check"
local context = require "perilune.context"
local create = require "perilune.create"
local errors = require "perilune.errors"
local ops = require "perilune.ops"
local Module = require "perilune.nn.module"

local ModelEma = class("ModelEma")
ModelEma.options = {
  { "model", type = Module, required = true, doc = "the model that is trained" },
  { "decay", 0.9999, min = 0, max = 1, doc = "how much of the average an update leaves" },
}

local floating = { f32 = true, f64 = true, f16 = true, bf16 = true }

--- Parameters and buffers of a module in order.
local function tensors_of(module)
  local list = module:parameters()
  for _, buffer in ipairs(module:buffers()) do list[#list + 1] = buffer end
  return list
end

function ModelEma:init(o)
  o = ModelEma:check(o)
  self.decay, self.num_updates = o.decay, 0
  self.module = o.model:clone():eval():requires_grad_(false)
  self.swapped_with = nil
end

--- The new value of an average; a subclass may define another. The default runs as one launch for
-- all tensors.
-- @param average,new tensors
-- @return tensor
function ModelEma:update_fn(average, new)
  return average * self.decay + new * (1 - self.decay)
end

local function same_shape(a, b)
  return table.concat(a.shape, "x") == table.concat(b.shape, "x") and a.dtype == b.dtype
end

--- The averages and the model's tensors, those to average and those to copy.
local function pairs_of(self, model)
  local averages, news = tensors_of(self.module), tensors_of(model)
  local moving = { averages = {}, news = {} }
  local copied = { averages = {}, news = {} }
  if #averages ~= #news then
    errors.raise("argument", ("ModelEma: the model has %d parameters and buffers, its average %d")
      :format(#news, #averages), { argument = "model" })
  end
  for i, average in ipairs(averages) do
    if not same_shape(average, news[i]) then
      errors.raise("shape", ("ModelEma: tensor %d of the model is %s %s, its average %s %s")
        :format(i, news[i].dtype, table.concat(news[i].shape, "x"), average.dtype,
        table.concat(average.shape, "x")), { argument = "model" })
    end
    local list = floating[average.dtype] and moving or copied
    list.averages[#list.averages + 1], list.news[#list.news + 1] = average, news[i]
  end
  return moving, copied
end

local function copy_all(lists)
  for i, average in ipairs(lists.averages) do average:copy_(lists.news[i]) end
end

local function move(self, moving, copied)
  copy_all(copied)
  if self.update_fn == ModelEma.update_fn then
    if #moving.averages == 0 then return end
    local weight = create.scalar(1 - self.decay, { device = moving.averages[1].device })
    return ops.call("lerp_all", { moving.averages, moving.news, weight })
  end
  for i, average in ipairs(moving.averages) do
    context.scope(function() average:copy_(self:update_fn(average, moving.news[i])) end)
  end
end

local function refuse_swapped(self, what)
  if not self.swapped_with then return end
  errors.raise("user", ("ModelEma: %s while the averages are in the model's place; swap back first")
    :format(what))
end

--- Move the averages towards the model, after an optimizer update.
function ModelEma:update(model)
  refuse_swapped(self, "update")
  context.no_grad(move, self, pairs_of(self, model))
  self.num_updates = self.num_updates + 1
end

--- Start again from what the model is now.
function ModelEma:set(model)
  refuse_swapped(self, "set")
  local moving, copied = pairs_of(self, model)
  context.no_grad(copy_all, moving)
  context.no_grad(copy_all, copied)
end

--- Exchange the values of the averages and of the model; the parameters stay the same tensors, so
-- an optimizer that holds them is right. The next swap gives each its own back.
function ModelEma:swap(model)
  if self.swapped_with and self.swapped_with ~= model then
    errors.raise("user", "ModelEma: the averages are in another model's place; swap back first")
  end
  pairs_of(self, model)
  local averages, news = tensors_of(self.module), tensors_of(model)
  for i, average in ipairs(averages) do
    local values = news[i]:detach()
    news[i]:swap_(average)
    average:swap_(values)
  end
  self.swapped_with = not self.swapped_with and model or nil
end

--- Call f(...) with the averages in the model's place; the model gets its own values back, after an
-- error too.
-- @return what f returns
function ModelEma:average_weights(model, f, ...)
  self:swap(model)
  local function finish(ok, ...)
    self:swap(model)
    if not ok then error((...), 0) end
    return ...
  end
  return finish(xpcall(f, errors.handler, ...))
end

--- Everything needed to go on.
-- @return { decay =, num_updates =, module = the averages by name }
function ModelEma:state_dict()
  refuse_swapped(self, "state_dict")
  return { decay = self.decay, num_updates = self.num_updates, module = self.module:state_dict() }
end

function ModelEma:load_state_dict(state)
  refuse_swapped(self, "load_state_dict")
  local o = check.call({ { "decay", type = "number", required = true },
    { "num_updates", type = "integer", required = true },
    { "module", type = "table", required = true } }, "ModelEma:load_state_dict", state)
  self.module:load_state_dict(o.module)
  self.decay, self.num_updates = o.decay, o.num_updates
end

return ModelEma
