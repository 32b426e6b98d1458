-- What convolutions mean: every output element as a sum over its window, nothing clever.

local array = require "tests.ops.array"

local R = {}

local function pair(v, default)
  if v == nil then return default, default end
  if type(v) == "number" then return v, v end
  return v[1], v[2] or v[1]
end

--- x as images x channels x h x w, and whether the first dimension was there.
local function batch(x)
  if #x.shape == 4 then return x, true end
  return array.new({ 1, unpack(x.shape) }, x.data), false
end

local function unbatch(y, had)
  return had and y or array.new({ unpack(y.shape, 2) }, y.data)
end

local function window_of(a)
  local w = { groups = a.groups or 1 }
  w.sh, w.sw = pair(a.stride, 1)
  w.ph, w.pw = pair(a.padding, 0)
  w.dh, w.dw = pair(a.dilation, 1)
  return w
end

--- The place of a position (from 0) in a 4-d array of shape.
local function flat(shape, a, b, c, d)
  return ((a * shape[2] + b) * shape[3] + c) * shape[4] + d + 1
end

--- f(large, small, weight), the places of the elements that a window joins, for every such three;
-- large and small are the input and output of conv2d, kernel the shape of its weight.
local function each_pair(large, small, kernel, w, f)
  local ic, oc = large[2] / w.groups, small[2] / w.groups
  for n = 0, small[1] - 1 do for o = 0, small[2] - 1 do
    local g = math.floor(o / oc)
    for y = 0, small[3] - 1 do for x = 0, small[4] - 1 do
      for c = 0, ic - 1 do
        for ky = 0, kernel[3] - 1 do for kx = 0, kernel[4] - 1 do
          local iy, ix = y * w.sh - w.ph + ky * w.dh, x * w.sw - w.pw + kx * w.dw
          if iy >= 0 and iy < large[3] and ix >= 0 and ix < large[4] then
            f(flat(large, n, g * ic + c, iy, ix), flat(small, n, o, y, x),
              flat(kernel, o, c, ky, kx))
          end
        end end
      end
    end end
  end end
end

local function zeros(shape)
  return array.build(shape, function() return 0 end)
end

local function add_bias(y, bias)
  if not bias then return end
  array.each(y.shape, function(at, i) y.data[i] = y.data[i] + bias.data[at[2] + 1] end)
end

local function out_size(size, kernel, s, p, d)
  return math.floor((size + 2 * p - d * (kernel - 1) - 1) / s) + 1
end

function R.conv2d(a, x, weight, bias)
  local large, had = batch(x)
  local w, shape = window_of(a), weight.shape
  local y = zeros{ large.shape[1], shape[1],
    out_size(large.shape[3], shape[3], w.sh, w.ph, w.dh),
    out_size(large.shape[4], shape[4], w.sw, w.pw, w.dw) }
  each_pair(large.shape, y.shape, shape, w, function(i, o, k)
    y.data[o] = y.data[o] + large.data[i] * weight.data[k]
  end)
  add_bias(y, bias)
  return unbatch(y, had)
end

function R.conv_transpose2d(a, x, weight, bias)
  local small, had = batch(x)
  local w, shape = window_of(a), weight.shape
  local more_h, more_w = pair(a.output_padding, 0)
  local y = zeros{ small.shape[1], shape[2] * w.groups,
    (small.shape[3] - 1) * w.sh - 2 * w.ph + w.dh * (shape[3] - 1) + more_h + 1,
    (small.shape[4] - 1) * w.sw - 2 * w.pw + w.dw * (shape[4] - 1) + more_w + 1 }
  each_pair(y.shape, small.shape, shape, w, function(i, o, k)
    y.data[i] = y.data[i] + small.data[o] * weight.data[k]
  end)
  add_bias(y, bias)
  return unbatch(y, had)
end

function R.conv2d_weight_grad(a, x, grad)
  local large, small = batch(x), batch(grad)
  local w = window_of(a)
  local kh, kw = pair(a.kernel)
  local y = zeros{ small.shape[2], large.shape[2] / w.groups, kh, kw }
  each_pair(large.shape, small.shape, y.shape, w, function(i, o, k)
    y.data[k] = y.data[k] + large.data[i] * small.data[o]
  end)
  return y
end

return R
