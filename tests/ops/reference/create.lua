-- What the ops that make tensors mean.

local array = require "tests.ops.array"
local build = array.build

local R = {}

function R.full(a, value)
  return build({ unpack(a.sizes) }, function() return value.data[1] end, a.dtype or "f32")
end

function R.arange(a)
  return build({ a.length }, function(at) return a.start + at[1] * a.step end, a.dtype or "f32")
end

return R
