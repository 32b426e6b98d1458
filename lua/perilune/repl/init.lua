--- The interactive session: reads lines until they make a chunk, runs it, shows its results.
-- Nothing that a chunk does ends the session but os.exit; Ctrl-C gives up the line or stops the
-- running chunk, Ctrl-D leaves, SIGTERM ends the session. Without a terminal it reads plain lines
-- and shows no prompt.

local pretty = require "perilune.repl.pretty"
local session = require "perilune.repl.session"

local repl = {}

local PROMPT, MORE = "> ", ">> "
local ENDED = 143   -- the exit code that SIGTERM and SIGUSR1 ask for

--- The editor of the executable; plain luajit has none and reads plain lines.
local function open_host()
  local found, host = pcall(require, "perilune.host")
  if found then return host end
  return {
    is_terminal = function() return false end,
    read_line = function(prompt)
      io.write(prompt)
      io.flush()
      return io.read("*l")
    end,
    clear_interrupts = function() end,
  }
end

local function history_path()
  local state = os.getenv("XDG_STATE_HOME")
  if state and state ~= "" then return state .. "/perilune_history" end
  local home = os.getenv("HOME")
  return home and home .. "/.perilune_history"
end

--- Reads one chunk, over several lines where the first are incomplete.
-- @return text; nil at the end of the input; "" after Ctrl-C
local function read_chunk(host, interactive)
  local text
  while true do
    local prompt = interactive and (text and MORE or PROMPT) or ""
    local line, why = host.read_line(prompt)
    if why == "interrupted" then
      print("^C")
      return ""
    end
    if not line then return text end
    if interactive and line:find("%S") then host.add_history(line) end
    text = text and text .. "\n" .. line or line
    if not session.is_incomplete(text) then return text end
  end
end

local function show_results(results)
  if results.n == 0 then return end
  local texts = {}
  for i = 1, results.n do texts[i] = pretty.text(results[i]) end
  print(table.concat(texts, "\t"))
end

local function show_error(err)
  io.stdout:flush()
  io.stderr:write(tostring(err), "\n")
end

--- Reads, runs and shows one chunk.
-- @return false at the end of the session
-- @return the exit code then
local function step(host, interactive, state)
  local text = read_chunk(host, interactive)
  if not text then return false, 0 end
  if not text:find("%S") then return true end
  local results, err = state:run(text)
  if results then
    show_results(results)
  else
    show_error(err)
    if err.exit_code == ENDED then return false, ENDED end
  end
  return true
end

--- Runs a session on standard input until it ends.
-- @return the exit code of the process
function repl.run()
  local host = open_host()
  local interactive = host.is_terminal()
  local history = interactive and history_path()
  rawset(_G, "pl", require "perilune")
  if interactive then
    print(("Perilune, %s. Ctrl-D leaves."):format(jit.version))
    if history then host.load_history(history) end
  end
  local state = session.new()
  local code
  while true do
    host.clear_interrupts()
    -- A late Ctrl-C may arrive between two chunks; showing a value may fail.
    local ok, more, exit_code = pcall(step, host, interactive, state)
    if not ok then
      show_error(more)
    elseif not more then
      code = exit_code
      break
    end
  end
  if interactive then print() end
  if history then host.save_history(history) end
  return code
end

return repl
