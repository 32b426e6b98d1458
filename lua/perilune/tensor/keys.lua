--- What t[key] names: a view for positions and ranges, picked elements for index tensors and masks;
-- and how t[key] = value writes there. Every write reaches t itself.

local errors = require "perilune.errors"
local check = require "perilune.check"

local is_tensor = check.is_tensor

local keys = {}

local function range_of(part, size)
  local first, last = part[1] or 1, part[2] or size
  if first < 0 then first = first + size + 1 end
  if last < 0 then last = last + size + 1 end
  return first, last - first + 1, part[3]
end

local function is_mask(part)
  return is_tensor(part) and part.dtype == "bool"
end

local function check_mask(t, mask)
  local shape, wanted = mask.shape, t.shape
  local fits = #shape <= #wanted
  for i = 1, #shape do fits = fits and shape[i] == wanted[i] end
  if fits then return end
  errors.raise("shape", ("index: a mask of shape %s does not fit a tensor of shape %s"):format(
    table.concat(shape, "x"), table.concat(wanted, "x")), { op = "index" })
end

--- The elements, or slices along the first dimensions, where a mask is true.
local function picked(t, mask)
  check_mask(t, mask)
  return t:flatten(1, mask:dim()):index_select(mask:flatten():nonzero():flatten(), 1)
end

local function positions_of(part)
  return is_mask(part) and part:nonzero():flatten() or part
end

local function refuse(value)
  errors.raise("argument", ("index: t[key] takes a position, an index tensor, a mask or a list of"
    .. " them with ranges { first, last }, got %s"):format(check.describe(value)), { op = "index" })
end

--- t[key]: a position, an index tensor, a mask, or a list of positions (which select), ranges
-- { first, last, step } (ends included), {} for all, index tensors and masks of one dimension.
-- @return a view where the key holds no tensor
function keys.get(t, key)
  if type(key) == "number" then return t:select(1, key) end
  if is_mask(key) then return picked(t, key) end
  if is_tensor(key) then return t:index_select(key, 1) end
  if type(key) ~= "table" then refuse(key) end
  local view, axis = t, 1
  for _, part in ipairs(key) do
    if type(part) == "number" then
      view = view:select(axis, part)
    elseif is_tensor(part) then
      view, axis = view:index_select(positions_of(part), axis), axis + 1
    elseif type(part) ~= "table" then
      refuse(part)
    elseif #part == 0 then
      axis = axis + 1
    else
      local first, length, step = range_of(part, view:size(axis))
      view, axis = view:narrow(axis, first, length, step or 1), axis + 1
    end
  end
  return view
end

--- Write through a mask: one value everywhere, or one slice for each place.
local function set_masked(t, mask, value, assign)
  check_mask(t, mask)
  if not is_tensor(value) or value:dim() == 0 then
    local shape = mask.shape
    for i = #shape + 1, t:dim() do shape[i] = 1 end
    return assign(t, mask:reshape(shape):where(value, t))
  end
  for i, place in ipairs(mask:nonzero():totable()) do
    assign(keys.get(t, place), value[value:size(1) == 1 and 1 or i])
  end
end

--- The number and place of the first tensor among the parts of a key, nil where there is none.
local function first_index(key)
  for i, part in ipairs(key) do
    if is_tensor(part) then return i, part end
  end
end

-- The slices that value holds for the positions along one dimension of what the key names.
local function slice_of(value, axis, i, rank)
  if not is_tensor(value) or value:dim() < rank - axis + 1 then return value end
  local along = value:dim() - rank + axis
  return value:select(along, value:size(along) == 1 and 1 or i)
end

-- Which dimension of the result the i-th part of a key makes.
local function result_axis(key, i)
  local axis = 1
  for k = 1, i - 1 do
    if type(key[k]) ~= "number" then axis = axis + 1 end
  end
  return axis
end

--- t[key] = value.
-- @param assign function(view, value) that writes value, broadcast, into a view
function keys.set(t, key, value, assign)
  if is_mask(key) then return set_masked(t, key, value, assign) end
  if is_tensor(key) then key = { key } end
  local place, index
  if type(key) == "table" then place, index = first_index(key) end
  if not place then return assign(keys.get(t, key), value) end
  local axis, rank = result_axis(key, place), keys.get(t, key):dim()
  for i, position in ipairs(positions_of(index):totable()) do
    local one = {}
    for k, part in ipairs(key) do one[k] = k == place and position or part end
    keys.set(t, one, slice_of(value, axis, i, rank), assign)
  end
end

return keys
