--- nn.GroupNorm: each sample's channels in groups, every group brought to mean 0 and variance 1.

local class = require "perilune.class"
local create = require "perilune.create"
local errors = require "perilune.errors"
local ops = require "perilune.ops"
local Module = require "perilune.nn.module"
local Parameter = require("perilune.nn.parameter").Parameter

local GroupNorm = class("GroupNorm", Module)
GroupNorm.options = {
  { "num_groups", type = "integer", required = true, min = 1, doc = "how many groups" },
  { "num_channels", type = "integer", required = true, min = 1, doc = "how many channels" },
  { "eps", 1e-5, min = 0, doc = "added to the variance" },
  { "affine", true, doc = "learn a weight and a bias per channel" },
}

function GroupNorm:init(o)
  o = GroupNorm:check(o)
  if o.num_channels % o.num_groups ~= 0 then
    errors.raise("argument", ("GroupNorm: %d channels do not form %d groups"):format(o.num_channels,
      o.num_groups), { argument = "num_groups" })
  end
  self.num_groups, self.num_channels, self.eps = o.num_groups, o.num_channels, o.eps
  self.affine = o.affine
  self.attributes = ops.prepare("group_norm", { groups = o.num_groups, eps = o.eps })
  if o.affine then
    self.weight = Parameter(create.ones { o.num_channels })
    self.bias = Parameter(create.zeros { o.num_channels })
  end
end

function GroupNorm:forward(x)
  return x:group_norm(self.weight, self.bias, self.attributes)
end

function GroupNorm:extra_repr()
  return ("%d, %d, eps=%s, affine=%s"):format(self.num_groups, self.num_channels,
    tostring(self.eps), tostring(self.affine))
end

return GroupNorm
