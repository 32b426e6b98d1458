--- The terminal: whether there is one, how wide it is, and the one live line at its bottom that a
-- progress bar redraws. Whoever prints goes through `print`, so that lines never mix.

local ffi = require "ffi"

ffi.cdef [[
int fileno(void *stream);
int isatty(int fd);
typedef struct perilune_winsize { unsigned short rows, columns, x, y; } perilune_winsize;
int ioctl(int fd, unsigned long request, ...);
]]

local terminal = {}

local get_window_size = 0x5413
local live

--- Whether a stream (io.stdout, io.stderr) is a terminal on which a line can be drawn anew.
function terminal.is_terminal(stream)
  return os.getenv("TERM") ~= "dumb" and ffi.C.isatty(ffi.C.fileno(stream)) == 1
end

--- Columns of a stream's terminal; $COLUMNS or 80 where it cannot tell.
function terminal.width(stream)
  local size = ffi.new("perilune_winsize")
  if ffi.C.ioctl(ffi.C.fileno(stream), get_window_size, size) == 0 and size.columns > 0 then
    return size.columns
  end
  return tonumber(os.getenv("COLUMNS")) or 80
end

--- Whether the locale's characters are UTF-8.
function terminal.is_utf8()
  for _, name in ipairs{ "LC_ALL", "LC_CTYPE", "LANG" } do
    local value = os.getenv(name)
    if value and value ~= "" then return value:lower():find("utf%-?8") ~= nil end
  end
  return false
end

--- How many characters a UTF-8 text has.
function terminal.length(text)
  local _, continuation = text:gsub("[\128-\191]", "")
  return #text - continuation
end

--- The first `width` characters of a UTF-8 text.
function terminal.fit(text, width)
  if terminal.length(text) <= width then return text end
  local taken = {}
  for char in text:gmatch("[%z\1-\127\194-\244][\128-\191]*") do
    if #taken == width then break end
    taken[#taken + 1] = char
  end
  return table.concat(taken)
end

local function show()
  io.stderr:write("\r", live, "\27[K")
  io.stderr:flush()
end

--- Draw the live line, in place of what it was.
function terminal.draw(text)
  live = terminal.fit(text, terminal.width(io.stderr) - 1)
  show()
end

--- Leave the live line where it is; what follows begins below it.
function terminal.finish()
  if not live then return end
  live = nil
  io.stderr:write("\n")
  io.stderr:flush()
end

--- Print a line to standard output, above the live line if there is one.
function terminal.print(text)
  if live then
    io.stderr:write("\r\27[K")
    io.stderr:flush()
  end
  io.stdout:write(text, "\n")
  io.stdout:flush()
  if live then show() end
end

return terminal
