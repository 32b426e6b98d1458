-- Runs programs for the host specs: exit code, stdout and stderr of one shell command.

local ffi = require "ffi"

pcall(ffi.cdef, "int usleep(unsigned microseconds);")

local process = {}

local build = os.getenv("PERILUNE_LIB") or "build"
if build:sub(1, 1) ~= "/" then
  local pipe = io.popen("pwd")
  build = pipe:read("*l") .. "/" .. build
  pipe:close()
end

process.build = build
process.perilune = build .. "/perilune"
-- Plain luajit cannot load an engine that wants a sanitizer's run time.
process.sanitized = os.getenv("PERILUNE_SANITIZE") ~= nil

--- The content of a file, or nil.
function process.read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

function process.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

--- Quotes a word for the shell.
function process.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- A new empty folder; `process.remove` takes it away.
function process.folder()
  local pipe = io.popen("mktemp -d")
  local path = pipe:read("*l")
  pipe:close()
  return path
end

function process.remove(folder)
  os.execute("rm -rf " .. process.quote(folder))
end

--- Runs a shell command.
-- @param command text for sh
-- @param input optional text for its stdin
-- @return { code =, out =, err = }
function process.run(command, input)
  local folder = process.folder()
  process.write(folder .. "/in", input or "")
  local status = os.execute(("{ %s\n} <%s/in >%s/out 2>%s/err")
    :format(command, folder, folder, folder))
  local result = {
    code = math.floor(status / 256),
    out = process.read(folder .. "/out"),
    err = process.read(folder .. "/err"),
  }
  process.remove(folder)
  return result
end

--- Runs the executable of this build with arguments, each one word.
function process.perilune_run(arguments, input)
  local words = { process.quote(process.perilune) }
  for i, argument in ipairs(arguments) do words[i + 1] = process.quote(argument) end
  return process.run(table.concat(words, " "), input)
end

local Terminal = {}
Terminal.__index = Terminal

--- Starts a session on a terminal that script(1) provides.
-- @param folder an empty one, for the log and the session's history
function process.terminal(folder)
  local log = process.write(folder .. "/log", "")
  local command = ("TERM=xterm XDG_STATE_HOME=%s timeout 60 script -qefc %s %s >%s/shown 2>&1")
    :format(folder, process.quote(process.perilune), log, folder)
  return setmetatable({ log = log, seen = 1, pipe = io.popen(command, "w") }, Terminal)
end

--- Types keys; "\3" is Ctrl-C, "\4" Ctrl-D.
function Terminal:type(keys)
  ffi.C.usleep(50000) -- what shows a prompt reads keys a moment later
  self.pipe:write(keys)
  self.pipe:flush()
end

--- Waits until the terminal shows a text behind the last one that was waited for. What is typed is
-- shown too, with "\r" and not "\r\n" where a line ends.
function Terminal:expect(text)
  for _ = 1, 1500 do
    local shown = process.read(self.log)
    local _, last = shown:find(text, self.seen, true)
    if last then
      self.seen = last + 1
      return
    end
    ffi.C.usleep(20000)
  end
  error(("the terminal does not show %q:\n%s"):format(text, process.read(self.log)), 2)
end

--- Ends the session with Ctrl-D, unless it has ended.
-- @return all that the terminal showed
function Terminal:close(has_ended)
  if not has_ended then self:type("\4") end
  self.pipe:close()
  return process.read(self.log)
end

return process
