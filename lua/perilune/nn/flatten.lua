--- nn.Flatten: dimensions start_dim to end_dim become one; by default all but the batch's.

local class = require "perilune.class"
local Module = require "perilune.nn.module"

local Flatten = class("Flatten", Module)
Flatten.options = {
  { "start_dim", 2, type = "integer", doc = "first dimension to join, from 1" },
  { "end_dim", -1, type = "integer", doc = "last dimension to join, negative from the end" },
}

function Flatten:init(o)
  o = Flatten:check(o)
  self.start_dim, self.end_dim = o.start_dim, o.end_dim
end

function Flatten:forward(x)
  return x:flatten(self.start_dim, self.end_dim)
end

function Flatten:extra_repr()
  return ("start_dim=%d, end_dim=%d"):format(self.start_dim, self.end_dim)
end

return Flatten
