--- How tensors print: nested brackets as in PyTorch, four digits, long ones shortened.

local MAX_ELEMENTS, EDGE = 1000, 3

local function is_whole(cells, n)
  for i = 0, n - 1 do
    local v = tonumber(cells[i])
    if v - v == 0 and (v % 1 ~= 0 or math.abs(v) > 1e15) then return false end
  end
  return true
end

local function largest_and_smallest(cells, n)
  local most, least = 0, math.huge
  for i = 0, n - 1 do
    local v = math.abs(tonumber(cells[i]))
    if v - v == 0 then
      most = math.max(most, v)
      if v > 0 then least = math.min(least, v) end
    end
  end
  return most, least
end

--- The format of one number, chosen for all of them.
local function number_format(cells, n, dtype)
  if dtype == "bool" then return function(v) return v ~= 0 and "true" or "false" end end
  if dtype == "i64" or dtype == "i32" or dtype == "u8" then
    return function(v) return (tostring(v):gsub("LL$", "")) end
  end
  local form = "%.4f"
  local most, least = largest_and_smallest(cells, n)
  if is_whole(cells, n) then form = most < 1e8 and "%.0f." or "%.4e"
  elseif most >= 1e8 or least < 1e-4 or most / least > 1e5 then form = "%.4e" end
  return function(v)
    v = tonumber(v)
    if v ~= v then return "nan" end
    if v - v ~= 0 then return v > 0 and "inf" or "-inf" end
    return form:format(v)
  end
end

local function shown(size, shorten)
  if not shorten or size <= 2 * EDGE then
    local all = {}
    for i = 1, size do all[i] = i end
    return all
  end
  return { 1, 2, 3, false, size - 2, size - 1, size }
end

local function strides_of(shape)
  local strides, n = {}, 1
  for i = #shape, 1, -1 do strides[i], n = n, n * shape[i] end
  return strides
end

local function layout(cells, shape, form, shorten)
  local strides, texts, width = strides_of(shape), {}, 0
  local function visit(axis, at)
    if axis > #shape then
      local text = form(cells[at])
      texts[at], width = text, math.max(width, #text)
      return
    end
    for _, i in ipairs(shown(shape[axis], shorten)) do
      if i then visit(axis + 1, at + (i - 1) * strides[axis]) end
    end
  end
  visit(1, 0)
  local function draw(axis, at, indent)
    if axis > #shape then return (" "):rep(width - #texts[at]) .. texts[at] end
    local parts = {}
    for _, i in ipairs(shown(shape[axis], shorten)) do
      parts[#parts + 1] = i and draw(axis + 1, at + (i - 1) * strides[axis], indent + 1) or "..."
    end
    local last = axis == #shape
    local gap = last and ", " or "," .. ("\n"):rep(#shape - axis) .. (" "):rep(indent + 1)
    return "[" .. table.concat(parts, gap) .. "]"
  end
  return draw(1, 0, 7)
end

--- @param t a tensor
return function(t)
  local cells, shape, dtype = t:cells "tostring"
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  local parts = { n == 0 and "[]"
    or layout(cells, shape, number_format(cells, n, dtype), n > MAX_ELEMENTS) }
  local kept = t.dtype
  if n == 0 then parts[#parts + 1] = ("size = {%s}"):format(table.concat(shape, ", ")) end
  if kept ~= "f32" and kept ~= "bool" and kept ~= "i64" then
    parts[#parts + 1] = ('dtype = "%s"'):format(kept)
  end
  if t.device ~= "cpu" then parts[#parts + 1] = ('device = "%s"'):format(t.device) end
  if t.requires_grad then parts[#parts + 1] = "requires_grad = true" end
  return "tensor(" .. table.concat(parts, ", ") .. ")"
end
