--- What a profile looks like: as text, and as a trace in Chrome's event format, where times are
-- microseconds since the profile began.

local json = require "perilune.json"

local report = {}

local function time_text(seconds)
  if seconds >= 1 then return ("%.2f s"):format(seconds) end
  if seconds >= 1e-3 then return ("%.2f ms"):format(seconds * 1e3) end
  return ("%.1f us"):format(seconds * 1e6)
end

local function op_name(op)
  return op.backward and op.name .. " (gradient)" or op.name
end

local function sorted(rows, by)
  local list, places = {}, {}
  for i, row in ipairs(rows) do list[i], places[row] = row, i end
  table.sort(list, function(a, b)
    if a[by] ~= b[by] then return a[by] > b[by] end
    return places[a] < places[b]
  end)
  return list
end

local function cells_of(row, name, seconds)
  return { name, ("%d"):format(row.count), time_text(row.total), time_text(row.self),
    ("%.1f%%"):format(100 * row.self / seconds), time_text(row.total / row.count) }
end

local function add_part(lines, title, rows, o, seconds, name)
  if #rows == 0 then return end
  local list, widths = { { title, "count", "total", "self", "share", "mean" } }, {}
  for i, row in ipairs(sorted(rows, o.sort_by)) do
    if i > o.row_limit then break end
    list[#list + 1] = cells_of(row, name(row), seconds)
  end
  for _, cells in ipairs(list) do
    for i, cell in ipairs(cells) do widths[i] = math.max(widths[i] or 0, #cell) end
  end
  for _, cells in ipairs(list) do
    local line = { ("%-" .. widths[1] .. "s"):format(cells[1]) }
    for i = 2, #cells do line[i] = ("%" .. widths[i] .. "s"):format(cells[i]) end
    lines[#lines + 1] = table.concat(line, "  ")
  end
  if #rows > o.row_limit then
    lines[#lines + 1] = ("... and %d more"):format(#rows - o.row_limit)
  end
  lines[#lines + 1] = ""
end

local function span_name(row) return row.name end

--- The tables of a profile.
-- @param o { sort_by =, row_limit = }
function report.text(profile, o)
  local lines, seconds = {}, math.max(profile.seconds, 1e-9)
  add_part(lines, "phase", profile.phases, o, seconds, span_name)
  add_part(lines, "module", profile.modules, o, seconds, span_name)
  add_part(lines, "op", profile.ops, o, seconds, op_name)
  local in_ops = 0
  for _, op in ipairs(profile.ops) do in_ops = in_ops + op.self end
  lines[#lines + 1] = ("%s in all, %s of them in ops"):format(time_text(seconds),
    time_text(in_ops))
  if profile.dropped > 0 then
    lines[#lines + 1] = ("%d events are not in the trace (max_events = %d)")
      :format(profile.dropped, profile.max_events)
  end
  return table.concat(lines, "\n")
end

local function event_text(name, kind, event)
  return ('{"name":%s,"cat":%s,"ph":"X","ts":%.3f,"dur":%.3f,"pid":0,"tid":0}'):format(
    json.encode(name), json.encode(kind), event.begin * 1e6,
    math.max(0, event.finish - event.begin) * 1e6)
end

--- A trace as JSON text.
function report.trace(profile)
  local events = { '{"name":"process_name","ph":"M","pid":0,"tid":0,"args":{"name":"perilune"}}' }
  for _, span in ipairs(profile.spans) do
    events[#events + 1] = event_text(span.name, span.kind, span)
  end
  for _, event in ipairs(profile.events) do
    events[#events + 1] = event_text(op_name(event), "op", event)
  end
  return '{"displayTimeUnit":"ms","traceEvents":[\n' .. table.concat(events, ",\n") .. "\n]}\n"
end

return report
