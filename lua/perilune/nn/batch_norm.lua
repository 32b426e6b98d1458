--- nn.BatchNorm1d and nn.BatchNorm2d: each channel normalised, in training by the batch's own
-- statistics, which move the running ones; in evaluation by those.

local class = require "perilune.class"
local create = require "perilune.create"
local errors = require "perilune.errors"
local ops = require "perilune.ops"
local Module = require "perilune.nn.module"
local parameter = require "perilune.nn.parameter"
local Parameter, Buffer = parameter.Parameter, parameter.Buffer

local options = {
  { "num_features", type = "integer", required = true, min = 1, doc = "channels" },
  { "eps", 1e-5, min = 0, doc = "added to the variance" },
  { "momentum", 0.1, type = { "number", "boolean" },
    doc = "the batch's weight in the running statistics; false: the mean of all batches" },
  { "affine", true, doc = "learn a weight and a bias per channel" },
  { "track_running_stats", true, doc = "keep running statistics for evaluation" },
}

local function set_up(layer, o)
  layer.num_features, layer.eps, layer.momentum = o.num_features, o.eps, o.momentum
  layer.affine, layer.track_running_stats = o.affine, o.track_running_stats
  if o.affine then
    layer.weight = Parameter(create.ones { o.num_features })
    layer.bias = Parameter(create.zeros { o.num_features })
  end
  if o.track_running_stats then
    layer.running_mean = Buffer(create.zeros { o.num_features })
    layer.running_var = Buffer(create.ones { o.num_features })
    layer.num_batches_tracked = Buffer(create.zeros({}, { dtype = "i64" }))
  end
  layer.learning = ops.prepare("batch_norm", { training = true, eps = o.eps,
    momentum = o.momentum or 0 })
  layer.applying = ops.prepare("batch_norm", { training = false, eps = o.eps })
end

local function check_rank(layer, x, ranks)
  local rank = x:dim()
  for _, allowed in ipairs(ranks) do if rank == allowed then return end end
  local name = class.name_of(layer)
  errors.raise("shape", ("%s: expected an input of %s dimensions, got %s"):format(name,
    table.concat(ranks, " or "), table.concat(x.shape, "x")), { op = name, argument = "x" })
end

--- Attributes of one training step; without momentum they depend on the number of batches so far.
local function learning(layer)
  if layer.momentum then return layer.learning end
  return { training = true, eps = layer.eps,
    momentum = 1 / tonumber(layer.num_batches_tracked:item()) }
end

local function declare(name, ranks)
  local Layer = class(name, Module)
  Layer.options = options

  function Layer:init(o) set_up(self, Layer:check(o)) end

  function Layer:forward(x)
    check_rank(self, x, ranks)
    local mean, var = self.running_mean, self.running_var
    if self.training and mean then
      self.num_batches_tracked:add_(1)
      return x:batch_norm(self.weight, self.bias, mean, var, learning(self))
    end
    return x:batch_norm(self.weight, self.bias, mean, var, mean and self.applying or self.learning)
  end

  --- Forget the running statistics.
  function Layer:reset_running_stats()
    if not self.running_mean then return end
    self.running_mean:zero_()
    self.running_var:fill_(1)
    self.num_batches_tracked:zero_()
  end

  function Layer:shape_text() return tostring(self.num_features) end

  function Layer:extra_repr()
    return ("%d, eps=%s, momentum=%s, affine=%s, track_running_stats=%s"):format(self.num_features,
      tostring(self.eps), tostring(self.momentum), tostring(self.affine),
      tostring(self.track_running_stats))
  end
  return Layer
end

return {
  BatchNorm1d = declare("BatchNorm1d", { 2, 3 }),
  BatchNorm2d = declare("BatchNorm2d", { 4 }),
}
