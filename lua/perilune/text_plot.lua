--- A curve as lines of text, for terminals and logs.

local text_plot = {}

local function range_of(values)
  local low, high = math.huge, -math.huge
  for _, value in ipairs(values) do
    if value - value == 0 then low, high = math.min(low, value), math.max(high, value) end
  end
  return low, high
end

-- 1..n, where a value lies between low and high.
local function place(value, low, high, n)
  if high <= low then return 1 end
  return math.floor((value - low) / (high - low) * (n - 1) + 1.5)
end

local function empty_canvas(width, height)
  local canvas = {}
  for row = 1, height do
    canvas[row] = {}
    for column = 1, width do canvas[row][column] = " " end
  end
  return canvas
end

--- Draw points; those that are not finite are left out.
-- @param xs,ys lists of numbers
-- @param o { width = 60, height = 12, log_x = false, marked = number of a point drawn as O,
--   x_label =, y_label = }
-- @return lines, the last without a newline; nil where no point can be drawn
function text_plot.curve(xs, ys, o)
  local width, height = o.width or 60, o.height or 12
  local places = {}
  for i, x in ipairs(xs) do places[i] = o.log_x and math.log(x) or x end
  local left, right = range_of(places)
  local low, high = range_of(ys)
  if left > right or low > high then return nil end
  local canvas = empty_canvas(width, height)
  local function draw(i, mark)
    if not ys[i] or ys[i] - ys[i] ~= 0 then return end
    local row = height + 1 - place(ys[i], low, high, height)
    canvas[row][place(places[i], left, right, width)] = mark
  end
  for i = 1, #xs do draw(i, "*") end
  if o.marked then draw(o.marked, "O") end
  local lines = { o.y_label }
  for row = 1, height do
    local value = row == 1 and high or row == height and low or nil
    lines[#lines + 1] = ("%10s |%s"):format(value and ("%.4g"):format(value) or "",
      (table.concat(canvas[row]):gsub(" +$", "")))
  end
  lines[#lines + 1] = (" "):rep(11) .. "+" .. ("-"):rep(width)
  local first, last = ("%.3g"):format(xs[1]), ("%.3g"):format(xs[#xs])
  local middle = width - #first - #last
  local label = o.x_label or ""
  local before = math.max(1, math.floor((middle - #label) / 2))
  lines[#lines + 1] = (" "):rep(12) .. first .. (" "):rep(before) .. label
    .. (" "):rep(math.max(1, middle - before - #label)) .. last
  return table.concat(lines, "\n")
end

return text_plot
