-- The command line of the executable: what runs, what is said, which code the process ends with.

package.path = "./tests/host/?.lua;" .. package.path
local process = require "process"
local run = process.perilune_run

describe("perilune", function()
  local folder

  setup(function() folder = process.folder() end)
  teardown(function() process.remove(folder) end)

  local function script(text)
    return process.write(folder .. "/script.lua", text)
  end

  it("runs a script with its arguments", function()
    local path = script [[print(arg[0], arg[1], arg[2], #arg, select("#", ...), ...)]]
    local result = run { path, "a", "b c" }
    assert.equal(path .. "\ta\tb c\t2\t2\ta\tb c\n", result.out)
    assert.equal("", result.err)
    assert.equal(0, result.code)
  end)

  it("leaves options after the script to the script", function()
    local result = run { script "print(...)", "--help", "-e" }
    assert.equal("--help\t-e\n", result.out)
  end)

  it("runs -e, several times and before the script", function()
    local result = run { "-e", "x = 1", "-ex = x + 1", script "print(x)" }
    assert.equal("2\n", result.out)
  end)

  it("gives pl to -e, and says where scripts get it", function()
    assert.equal("{2, 3}\n", run({ "-e", "print(pl.zeros(2, 3).shape)" }).out)
    assert.truthy(run({ script "print(pl)" }).err:find(
      'undeclared global \'pl\': write local pl = require "perilune"', 1, true))
  end)

  it("draws no line anew where the terminal cannot", function()
    local code = "local bar = require 'perilune.progress_bar'('pass', 2) bar:advance(2)"
      .. " bar:finish()"
    for term, escapes in pairs{ dumb = false, xterm = true } do
      local shown = process.run(("TERM=%s script -qefc %s /dev/null"):format(term,
        process.quote(process.quote(process.perilune) .. " -e " .. process.quote(code)))).out
      assert.truthy(shown:find("pass.*2/2"))
      assert.equal(escapes, shown:find("\27", 1, true) ~= nil)
    end
  end)

  it("suggests the method that was meant", function()
    local result = run{ script "local net = require('perilune').nn.Linear(1, 1)\nnet:evall()" }
    assert.truthy(result.err:find(
      "2: attempt to call method 'evall' (a nil value) (did you mean 'eval'?)", 1, true))
    result = run{ script "local t = { a = 1 }\nt:evall()" }
    assert.truthy(result.err:find("attempt to call method 'evall' (a nil value)\n", 1, true))
  end)

  it("runs standard input as a script", function()
    assert.equal("7\n", run({}, "print(7)").out)
    assert.equal("a\n", run({ "-", "a" }, "print(...)").out)
  end)

  it("says its version, LuaJIT's and what the CPU can do", function()
    local result = run { "--version" }
    assert.truthy(result.out:find("^perilune %d+%.%d+%.%d+, LuaJIT 2%.1[^,]+, .*%w"))
    assert.equal(0, result.code)
  end)

  it("explains itself", function()
    local result = run { "--help" }
    assert.truthy(result.out:find("usage: perilune", 1, true))
    assert.equal(0, result.code)
  end)

  it("refuses an unknown option", function()
    local result = run { "-z" }
    assert.equal(1, result.code)
    assert.equal("perilune: unknown option '-z' (perilune --help lists them)\n", result.err)
    assert.equal(1, run({ "-e" }).code)
  end)

  it("switches the compiler off", function()
    assert.equal("false\n", run({ "-joff", "-e", "print((jit.status()))" }).out)
    assert.equal(1, run({ "-jnonsense", "-e", "" }).code)
  end)

  it("keeps the exit code of os.exit", function()
    assert.equal(7, run({ "-e", "os.exit(7)" }).code)
  end)

  it("names a script that is not there", function()
    local result = run { "no/such.lua" }
    assert.equal("perilune: cannot open no/such.lua: No such file or directory\n", result.err)
    assert.equal(1, result.code)
  end)

  it("shows the line of a syntax error", function()
    local path = script "local x = 1\nlocal = 2\n"
    local result = run { path }
    assert.equal(1, result.code)
    assert.truthy(result.err:find(path .. ":2:", 1, true))
  end)

  it("shows the line of an error and no internals", function()
    local path = script "local x\n\nerror('boom')\n"
    local result = run { path }
    assert.equal("perilune: " .. path .. ":3: boom\n", result.err)
    assert.equal(1, result.code)
  end)

  it("shows the functions an error came through", function()
    local path = script "local function f() error('boom') end\nlocal function g() f() end\ng()"
    local result = run { path }
    assert.truthy(result.err:find(":1: boom\nstack traceback:\n", 1, true))
    assert.truthy(result.err:find(":2: in function 'g'", 1, true))
    assert.falsy(result.err:find("command.lua", 1, true))
    assert.falsy(result.err:find("[C]", 1, true))
  end)

  it("is strict about undeclared globals", function()
    local path = script "local x = 1\nprint(lenght)"
    local result = run { path }
    assert.equal(1, result.code)
    assert.truthy(result.err:find(path .. ":2: undeclared global 'lenght'", 1, true))
  end)

  it("fails where its output cannot be written", function()
    local result = process.run(process.perilune .. " -e 'print(1)' >/dev/full")
    assert.equal(1, result.code)
    assert.truthy(result.err:find("cannot write", 1, true))
  end)

  it("finds perilune from any folder", function()
    local path = script [[print(type(require "perilune"))]]
    assert.equal("table\n", process.run("cd / && " .. process.perilune .. " " .. path).out)
  end)

  --- Runs code that prints a line and then loops; sends SIGINT up to `presses` times after that.
  local function interrupt(options, code, presses)
    return process.run(([[
      %s %s -e %s >%s/ready & child=$!
      until [ -s %s/ready ]; do sleep 0.01; done
      for press in %s; do kill -INT $child 2>/dev/null; sleep 0.1; done
      (sleep 20; kill -KILL $child) 2>/dev/null & killer=$!
      wait $child; code=$?
      kill $killer
      exit $code]]):format(process.perilune, options, process.quote(code), folder, folder,
      ("x "):rep(presses)))
  end

  local ready = "print('ready') io.stdout:flush() "

  before_each(function() os.remove(folder .. "/ready") end)

  it("stops at the next op after one Ctrl-C", function()
    local result = interrupt("", ready .. [[
      local pl = require "perilune"
      local x = pl.ones(4)
      while true do pl.scope(function() return nil, x:add(1) end) end]], 1)
    assert.equal(130, result.code)
    assert.truthy(result.err:find("^perilune: .*interrupted"))
  end)

  it("stops plain Lua code at the second Ctrl-C", function()
    local result = interrupt("-joff", ready .. "while true do end", 2)
    assert.equal(130, result.code)
    assert.equal("perilune: (command line):1: interrupted\n", result.err)
  end)

  it("dies at the third Ctrl-C in compiled code", function()
    assert.equal(130, interrupt("", ready .. "local n = 0 while true do n = n + 1 end", 3).code)
  end)

  it("answers 130 when the script ends after a Ctrl-C", function()
    local wait = "local stop = os.clock() + 0.2 while os.clock() < stop do end"
    assert.equal(130, interrupt("", ready .. wait, 1).code)
  end)
end)
