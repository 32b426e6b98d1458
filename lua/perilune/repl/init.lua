--- The interactive session: reads lines until they make a chunk, runs it, shows its results.
-- Nothing that a chunk does ends the session but os.exit; Ctrl-C gives up the line, pauses a run or
-- stops the running chunk, Ctrl-D leaves, SIGTERM ends the session. Without a terminal it reads
-- plain lines and shows no prompt.

local completion = require "perilune.repl.completion"
local errors = require "perilune.errors"
local help = require "perilune.repl.help"
local pausing = require "perilune.pausing"
local pretty = require "perilune.repl.pretty"
local session = require "perilune.repl.session"
local terminal = require "perilune.terminal"

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
    interrupt_exit_code = function() return 0 end,
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
-- @return for nil, the exit code
local function read_chunk(host, interactive, state)
  local text
  local function complete(line) return completion.complete(line, state.variables) end
  while true do
    local prompt = interactive and (text and MORE or PROMPT) or ""
    local line, why, exit_code = host.read_line(prompt, complete)
    if why == "interrupted" then
      if exit_code == ENDED then return nil, ENDED end
      print("^C")
      return ""
    end
    if not line then return text, 0 end
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

local function show_pause(trainer)
  terminal.finish()
  print(("paused in epoch %d after update %d: trainer:resume() goes on, trainer:abort() ends the "
    .. "run"):format(trainer.run_history.current_epoch, trainer.update))
end

-- What leaves other languages' sessions leaves this one too, unless it means something here.
local function is_farewell(text, state)
  local word = text:match("^%s*(%l+)%s*%(?%s*%)?%s*$")
  return (word == "exit" or word == "quit") and rawget(_G, word) == nil
    and not state.variables[word]
end

--- Reads, runs and shows one chunk.
-- @return false at the end of the session
-- @return the exit code then
local function step(host, interactive, state)
  local text, exit_code = read_chunk(host, interactive, state)
  if not text then return false, exit_code end
  if not text:find("%S") then return true end
  if is_farewell(text, state) then return false, 0 end
  local results, err = state:run(text)
  if not results then
    show_error(err)
    if err.exit_code == ENDED then return false, ENDED end
  elseif results.paused_input then
    show_pause(results)
  else
    show_results(results)
  end
  return true
end

--- LuaJIT's dofile is a C function, which a paused run cannot rest in.
local function run_file(name)
  local chunk, message
  if name then
    chunk, message = loadfile(name)
  else
    chunk, message = loadstring(io.read("*a"), "=stdin")
  end
  if not chunk then error(message, 0) end
  return chunk()
end

--- Whether the session is over: the first Ctrl-D with a paused run only says so.
local function is_end(interactive, warned, exit_code)
  if not interactive or warned or exit_code == ENDED or not pausing.trainers()[1] then
    return true
  end
  print("\na run is paused: trainer:resume() goes on, another Ctrl-D ends it and leaves")
  return false
end

--- Ends what is paused as Ctrl-C ends a script's run.
local function end_paused_runs()
  for _, trainer in ipairs(pausing.trainers()) do
    local ok, results, err = xpcall(pausing.resume, errors.handler, trainer, "leave")
    if not ok or not results then show_error(ok and err or results) end
  end
end

-- @return the exit code of the process
local function read_and_run(host, interactive)
  local state, warned = session.new(), false
  while true do
    if host.interrupt_exit_code() == ENDED then return ENDED end
    host.clear_interrupts()
    -- A late Ctrl-C may arrive between two chunks; showing a value may fail.
    local ok, more, exit_code = pcall(step, host, interactive, state)
    if not ok then
      show_error(more)
    elseif not more and is_end(interactive, warned, exit_code) then
      return exit_code
    end
    warned = ok and not more
  end
end

--- Runs a session on standard input until it ends.
-- @return the exit code of the process
function repl.run()
  local host = open_host()
  local interactive = host.is_terminal()
  local history = interactive and history_path()
  rawset(_G, "pl", require "perilune")
  rawset(_G, "dofile", run_file)
  rawset(_G, "help", help)
  if interactive then
    print(("Perilune, %s. Tab completes, help() tells more, Ctrl-D leaves."):format(jit.version))
    if history then host.load_history(history) end
  end
  local code = read_and_run(host, interactive)
  if interactive then print() end
  end_paused_runs()
  if history then host.save_history(history) end
  return code
end

return repl
