--- nn.Flatten: dimensions start_dim to end_dim become one; by default all but the batch's.

local class = require "perilune.class"
local ops = require "perilune.ops"
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

-- The op's attributes, prepared once for each pair of dimensions.
local prepared = {}

local function prepare(first, last, key)
  prepared[key] = ops.prepare("flatten", { first = first, last = last })
  return prepared[key]
end

function Flatten:forward(x)
  local first, last = self.start_dim, self.end_dim
  local key = first * 64 + last
  return x:flatten(prepared[key] or prepare(first, last, key))
end

function Flatten:extra_repr()
  return ("start_dim=%d, end_dim=%d"):format(self.start_dim, self.end_dim)
end

return Flatten
