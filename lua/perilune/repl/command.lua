--- The command line of `perilune`: options, scripts, what an uncaught error prints, exit codes.
-- Exit codes: 0, 1 for an error, 130 after Ctrl-C, 143 after SIGTERM or SIGUSR1. The executable
-- calls the function this returns.

local host = require "perilune.host"
local errors = require "perilune.errors"
local report = require "perilune.repl.report"
local strict = require "perilune.strict"

local usage = [=[
usage: perilune [options] [script.lua [arguments]]
Without script and -e: an interactive session, or the script on standard input.

  -e CODE        run CODE, which has pl; may be given several times
  -i             an interactive session after everything else
  -joff, -jon    switch LuaJIT's compiler off or on; -jv, -jp=... load its tools
  -v, --version  print versions
  -h, --help     print this
  -              run standard input as the script
  --             the end of the options
]=]

--- Runs a chunk; answers the exit code, having said what went wrong.
local function run(chunk, message, ...)
  if not chunk then
    report.print(message)
    return 1
  end
  local ok, err = xpcall(chunk, errors.handler, ...)
  if ok then return 0 end
  report.print(report.text(err))
  return err.exit_code or 1
end

local function version()
  local engine = require "perilune.engine"
  local cpu = require("ffi").string(engine.C.pl_device_description(engine.open "cpu"))
  print(("perilune %s, %s, %s"):format(engine.version, jit.version, cpu))
end

--- -joff, -jon, or -j<tool>[=argument,...] as in luajit.
local function control_jit(command)
  if command == "on" or command == "off" then
    jit[command]()
    return true
  end
  local tool, arguments = command:match("^(%w+)=?(.*)$")
  local ok, module = pcall(require, "jit." .. tostring(tool))
  if not ok then return nil, ("-j%s: LuaJIT has no tool of that name"):format(command) end
  local list = {}
  for argument in arguments:gmatch("[^,]+") do list[#list + 1] = argument end
  module.start(unpack(list))
  return true
end

--- What the command line asks for.
-- @return { actions = list of { option, value }, interactive =, script = index }, or nil, message
local function parse(argv)
  local plan = { actions = {} }
  local function act(option, value) plan.actions[#plan.actions + 1] = { option, value } end
  local i = 1
  while argv[i] and argv[i]:match("^%-.") and argv[i] ~= "--" do
    local option, value = argv[i]:match("^(%-[ej])(.*)$")
    if option then
      if value == "" then
        i = i + 1
        value = argv[i]
      end
      if not value then return nil, option .. " needs a value" end
      act(option, value)
    elseif argv[i] == "-i" then
      plan.interactive = true
    elseif argv[i] == "-v" or argv[i] == "--version" then
      act("version")
    elseif argv[i] == "-h" or argv[i] == "--help" then
      act("help")
    else
      return nil, ("unknown option '%s' (perilune --help lists them)"):format(argv[i])
    end
    i = i + 1
  end
  if argv[i] == "--" then i = i + 1 end
  if argv[i] then plan.script = i end
  return plan
end

local actions = {
  version = function() return run(version) end,
  help = function() return run(function() io.write(usage) end) end,
  ["-e"] = function(code)
    rawset(_G, "pl", require "perilune")
    return run(loadstring(code, "=(command line)"))
  end,
  ["-j"] = function(command)
    local ok, message = control_jit(command)
    if not ok then report.print(message) end
    return ok and 0 or 1
  end,
}

--- The global `arg`: the script is arg[0], its arguments follow, what came before is negative.
local function make_arg(argv, script)
  local list = {}
  for i = 0, #argv do list[i - (script or 0)] = argv[i] end
  return list
end

local function load_script(name)
  if name == "-" then return loadstring(io.read("*a"), "=stdin") end
  local file, reason = io.open(name, "r")
  if not file then return nil, "cannot open " .. reason end
  file:close()
  return loadfile(name)
end

local function run_script(argv, script)
  local chunk, message = load_script(argv[script])
  return run(chunk, message, unpack(argv, script + 1))
end

--- Runs the whole command.
-- @param argv the arguments of main, argv[0] included
-- @return the exit code of the process
return function(argv)
  local plan, message = parse(argv)
  if not plan then
    report.print(message)
    return 1
  end
  host.on_second_interrupt(function()
    errors.raise("interrupted", "interrupted", { exit_code = host.interrupt_exit_code() })
  end)
  _G.arg = make_arg(argv, plan.script)
  strict.on()
  local code = 0
  for _, action in ipairs(plan.actions) do
    code = actions[action[1]](action[2])
    if code ~= 0 then return code end
  end
  local interactive = plan.interactive
  if plan.script then
    code = run_script(argv, plan.script)
  elseif #plan.actions == 0 and not interactive then
    if host.is_terminal() then
      interactive = true
    else
      code = run_script({ "-" }, 1)
    end
  end
  if interactive then return require("perilune.repl").run() end
  if code == 0 and host.pending_interrupts() > 0 then return host.interrupt_exit_code() end
  return code
end
