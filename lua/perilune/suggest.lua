--- Did you mean: finds the known name that a misspelt one was most likely meant to be, by one
-- distance (edits and swaps of neighbours) or as a part of it, for options, hooks, globals and
-- fields alike.

local suggest = {}

local min = math.min

--- Optimal string alignment distance: insertions, deletions, replacements, swaps of neighbours.
local function distance(a, b)
  local before, last = nil, {}
  for j = 0, #b do last[j] = j end
  for i = 1, #a do
    local row = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same and 0 or 1))
      if before and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = min(row[j], before[j - 2] + 1)
      end
    end
    before, last = last, row
  end
  return last[#b]
end

-- The shortest candidate that goes on where the name ends, or ends in it behind a "_".
local function longer(name, candidates)
  local best
  if #name < 4 then return nil end
  for i = 1, #candidates do
    local candidate = candidates[i]
    if type(candidate) == "string" and (candidate:sub(1, #name) == name
      or candidate:sub(-#name - 1) == "_" .. name) and not (best and #best <= #candidate) then
      best = candidate
    end
  end
  return best
end

local function nearest(name, candidates)
  local best, best_distance
  local limit = math.max(1, math.floor(#name / 3))
  for i = 1, #candidates do
    local candidate = candidates[i]
    if type(candidate) == "string" and math.abs(#candidate - #name) <= limit then
      local d = distance(name:lower(), candidate:lower())
      local nearer = d <= limit and (not best or d < best_distance)
      if nearer or (best and d == best_distance and candidate < best) then
        best, best_distance = candidate, d
      end
    end
  end
  return best
end

--- The candidate that a name was most likely meant to be: the nearest, if it is near enough to be a
-- slip of the pen, else one of which the name is the beginning or the last word.
-- @param name the unknown name
-- @param candidates list of known names; ties go to the alphabetically first
-- @return string or nil
function suggest.closest(name, candidates)
  name = tostring(name)
  return nearest(name, candidates) or longer(name, candidates)
end

--- The tail of an error sentence: " (did you mean 'bias'?)" or "".
function suggest.hint(name, candidates)
  local best = suggest.closest(name, candidates)
  return best and (" (did you mean '%s'?)"):format(best) or ""
end

--- The string keys of a table, sorted, as candidates.
function suggest.keys(t)
  local keys = {}
  for key in pairs(t) do
    if type(key) == "string" then keys[#keys + 1] = key end
  end
  table.sort(keys)
  return keys
end

return suggest
