-- Timing on a shared machine: samples during which other processes used the CPU are thrown away, a
-- bounded number of times. bench/peers/quiet.py does the same.

local engine = require "perilune.engine"

local quiet = {}

local TICKS = 100   -- USER_HZ, the unit of /proc/stat

--- CPU seconds used by everybody.
local function busy()
  local file = io.open("/proc/stat")
  local line = file:read("*l")
  file:close()
  local sum, i = 0, 0
  for ticks in line:gmatch("%d+") do
    i = i + 1
    if i <= 8 and i ~= 4 and i ~= 5 then sum = sum + tonumber(ticks) end
  end
  return sum / TICKS
end

--- Seconds of one quiet work(n); patience.left counts the samples that may still be thrown away.
function quiet.sample(work, n, patience)
  while true do
    local b, o, t = busy(), os.clock(), engine.clock()
    work(n)
    t = engine.clock() - t
    local other = (busy() - b) - (os.clock() - o)
    if other <= 0.06 * t + 0.011 or patience.left <= 0 then return t end
    patience.left = patience.left - 1
    os.execute("sleep 0.1")
  end
end

function quiet.median(values)
  table.sort(values)
  return values[math.floor((#values + 1) / 2)]
end

--- Median seconds of one iteration of work(n).
function quiet.seconds_per_call(work)
  local n = 1
  work(1)
  while true do
    local t = engine.clock()
    work(n)
    t = engine.clock() - t
    if t > 0.03 then
      n = math.floor(n * 0.2 / t) + 1
      break
    end
    n = n * 4
  end
  local patience, samples = { left = 20 }, {}
  for i = 1, 5 do samples[i] = quiet.sample(work, n, patience) / n end
  return quiet.median(samples)
end

return quiet
