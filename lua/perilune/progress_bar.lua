--- One progress bar: rate, time left, mean loss of a pass over a loader. On a terminal one line
-- is redrawn ten times a second; elsewhere a plain line appears every ten seconds and at the end
-- of the pass. Most steps only compare two numbers: the clock is looked at when enough of them
-- have passed.

local class = require "perilune.class"
local terminal = require "perilune.terminal"
local clock = require("perilune.engine").clock

local ProgressBar = class("ProgressBar")

local redraw_seconds, line_seconds = 0.1, 10
local full, half = "━", "╸"

--- @param label what stands before the bar
-- @param total the number of steps; nil where it is not known
-- @param tracker an object whose `average()` is the mean loss so far, or nil
function ProgressBar:init(label, total, tracker)
  self.label, self.total, self.tracker = label, total, tracker
  self.started, self.shown, self.step, self.check_step = clock(), nil, 0, 1
  self.on_terminal = terminal.is_terminal(io.stderr)
  self.every = self.on_terminal and redraw_seconds or line_seconds
end

local function duration(seconds)
  if seconds >= 3600 then
    return ("%d:%02d:%02d"):format(seconds / 3600, seconds / 60 % 60, seconds % 60)
  end
  return ("%d:%02d"):format(seconds / 60, seconds % 60)
end

local function rate_text(rate)
  if rate >= 100 then return ("%.0f/s"):format(rate) end
  if rate >= 1 then return ("%.1f/s"):format(rate) end
  return ("%.1f s each"):format(1 / rate)
end

-- The bar itself, `width` characters wide.
local function bar(fraction, width)
  if not terminal.is_utf8() then
    local filled = math.floor(fraction * width)
    return ("#"):rep(filled) .. ("."):rep(width - filled)
  end
  local halves = math.floor(fraction * width * 2)
  local filled, rest = math.floor(halves / 2), halves % 2
  return full:rep(filled) .. half:rep(rest) .. (" "):rep(width - filled - rest)
end

-- As wide from step to step as it can be: the bar beside it should not jump.
local function loss_text(loss)
  return (math.abs(loss) >= 1e-3 and "%.4f" or "%.2e"):format(loss)
end

-- What stands to the right of the bar.
local function numbers(self, seconds, over)
  local step, total = self.step, self.total
  local rate = step / math.max(seconds, 1e-9)
  local texts = { total and ("%d/%d"):format(step, total) or tostring(step), rate_text(rate) }
  if total and not over then
    texts[3] = "ETA " .. duration((total - step) / rate)
  else
    texts[3] = duration(seconds)
  end
  local loss = self.tracker and self.tracker:average()
  if loss then texts[4] = "loss " .. loss_text(loss) end
  return table.concat(texts, "  ")
end

local function show(self, now, over)
  local text = numbers(self, now - self.started, over)
  if not self.on_terminal then
    io.stderr:write(self.label, ": ", text, "\n")
    return
  end
  local room = terminal.width(io.stderr) - terminal.length(self.label) - #text - 5
  if self.total and self.total > 0 and room >= 8 then
    text = bar(math.min(1, self.step / self.total), math.min(room, 40)) .. "  " .. text
  end
  terminal.draw(self.label .. "  " .. text)
end

-- Show the bar if it is time, and say at which step to look at the clock again.
local function check_clock(self)
  local now, step = clock(), self.step
  if now >= (self.shown or self.started) + self.every then
    show(self, now)
    self.shown = now
  end
  local rate = step / math.max(now - self.started, 1e-9)
  self.check_step = step + math.max(1, math.floor(rate * self.every / 4))
end

--- A step is over; `step` counts them from 1.
function ProgressBar:advance(step)
  self.step = step
  if step >= self.check_step then check_clock(self) end
end

--- Show how it ended; what is printed next begins on a new line.
function ProgressBar:finish()
  show(self, clock(), true)
  terminal.finish()
end

return ProgressBar
