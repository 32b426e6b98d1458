--- The text of an uncaught error: one sentence at the user's line. A plain Lua error that came
-- through several of the user's functions shows them too; Perilune's own frames are left out.

local report = {}

-- Tracebacks shorten long paths from the left, so the last two folders must do.
local home = debug.getinfo(1, "S").source:match("([^/\\]+[/\\]perilune[/\\])repl") or "perilune/"

local function user_frames(traceback)
  local frames = {}
  for line in traceback:gmatch("\n(\t[^\n]+)") do
    if not line:find("^%s*%[C%]") and not line:find(home, 1, true) then
      frames[#frames + 1] = line
    end
  end
  return frames
end

--- What to print for an uncaught error.
-- @param err an error of `perilune.errors`
-- @return text without a newline at its end
function report.text(err)
  local sentence = tostring(err)
  if err.kind ~= "user" or not err.traceback then return sentence end
  local frames = user_frames(err.traceback)
  if #frames < 2 then return sentence end
  return sentence .. "\nstack traceback:\n" .. table.concat(frames, "\n")
end

--- Prints to stderr, after what was printed before.
function report.print(text)
  io.stdout:flush()
  io.stderr:write("perilune: ", tostring(text), "\n")
end

return report
