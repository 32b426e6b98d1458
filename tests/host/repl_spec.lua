-- The interactive session: through a pipe (-i), and on a terminal that script(1) provides.

package.path = "./tests/host/?.lua;" .. package.path
local process = require "process"

local function session(text)
  return process.perilune_run({ "-i" }, text)
end

local function out(text)
  local result = session(text)
  assert.equal("", result.err)
  assert.equal(0, result.code)
  return result.out
end

describe("results", function()
  it("are shown without being asked for", function()
    assert.equal("2\n1\ttwo\nnil\n", out "1 + 1\n1, 'two'\nnil\n")
  end)

  it("may be asked for with =", function()
    assert.equal("3\n", out "= 3\n")
  end)

  it("are not shown after a semicolon", function()
    assert.equal("", out "1 + 1;\nlocal x = 2;\nx; -- comment\n")
  end)

  it("of statements are none", function()
    assert.equal("", out "x = 5\nlocal y = 6\ndo end\n")
  end)

  it("are shown for a chunk that returns", function()
    assert.equal("5\n", out "local x = 5; return x\n")
  end)
end)

describe("a session", function()
  it("ends when a run in it is told to by SIGTERM", function()
    local result = session([[
      local model = pl.nn.Linear(2, 1)
      local trainer = pl.Trainer{ model = model, loss_func = pl.nn.MSELoss(), quiet = true,
        optimizer = pl.optim.SGD(model:parameters(), { lr = 0.1 }), callbacks = {
          { on_train_step_start = function() os.execute("kill -TERM $PPID") end } } }
      trainer:train{ train_dataset = pl.data.TensorDataset(pl.ones(4, 2), pl.ones(4, 1)),
        num_epochs = 1 }
      print "not reached"
    ]])
    assert.equal(143, result.code)
    assert.truthy(result.err:find("interrupted by SIGTERM in epoch 1 after update 1", 1, true))
    assert.equal("", result.out)
  end)
end)

describe("tables", function()
  it("are laid out with sorted keys", function()
    assert.equal('{ 1, 2, a = { b = "x" }, ["c d"] = true, z = {} }\n',
      out '{ 1, 2, z = {}, ["c d"] = true, a = { b = "x" } }\n')
  end)

  it("are shown a few levels deep, cycles included", function()
    assert.equal("{ self = { self = { self = {...} } } }\n",
      out "local t = {} t.self = t\nt\n")
  end)

  it("that are long go over several lines and end", function()
    local text = out "local t = {} for i = 1, 100 do t[i] = i end\nt\n"
    assert.truthy(text:find("\n  40,\n  ... 60 more\n}\n", 1, true))
  end)

  it("that know their text use it", function()
    assert.equal("{ <me> }\n",
      out "local me = setmetatable({}, { __tostring = function() return '<me>' end })\n{ me }\n")
  end)
end)

describe("locals", function()
  it("last from line to line", function()
    assert.equal("1\n2\t3\n6\n", out "local a = 1\na\nlocal b, c = 2, 3\nb, c\na * b * c\n")
  end)

  it("are the variables that closures see", function()
    assert.equal("2\n11\n", out [[
local n = 0
local function up() n = n + 1 return n end
up();
up()
n = 10
up()
]])
  end)

  it("of a local function may recurse", function()
    assert.equal("120\n",
      out "local function f(n) return n == 0 and 1 or n * f(n - 1) end\nf(5)\n")
  end)

  it("declared again are new variables", function()
    assert.equal("1\t2\n", out [[
local x = 1
local function old() return x end
local x = x + 1
old(), x
]])
  end)

  it("of inner blocks and functions stay inside", function()
    local result = session [[
for i = 1, 2 do local inner = i end
do local inner = 1 end
local function f() local inner = 1 return inner end
if true then local inner = 1 end
repeat local inner = 1 until inner
inner
]]
    assert.equal("stdin:1: undeclared global 'inner'\n", result.err)
  end)

  it("are not confused by strings and comments", function()
    assert.equal("local s = 1\n3\n", out [==[
local s = "local s = 1" -- local t = 2
s
local u = [[ local
v = 1 ]] local w --[[ local x ]] = 3
w
]==])
  end)

  it("are nil until a chunk ends well", function()
    local result = session "local x = 1 error('no')\nx\n"
    assert.equal("stdin:1: no\nstdin:1: undeclared global 'x'\n", result.err)
  end)

  it("may be many", function()
    local lines = {}
    for i = 1, 150 do lines[i] = ("local v%d = %d"):format(i, i) end
    lines[151] = "v1 + v75 + v150\n"
    assert.equal("226\n", out(table.concat(lines, "\n")))
  end)
end)

describe("input", function()
  it("goes on over several lines", function()
    assert.equal("1\n2\nyes\n", out [[
for i = 1, 2 do
  print(i)
end
if true
then
  print("yes") end
]])
  end)

  it("may be an expression over several lines", function()
    assert.equal("{ 1, 2 }\n", out "{\n1,\n2\n}\n")
  end)

  it("that is wrong is one sentence, and the session goes on", function()
    local result = session "x = = 3\nerror('one')\nerror({})\nnil + 1\nfoo.bar()\n42\n"
    assert.equal("42\n", result.out)
    assert.equal(0, result.code)
    local lines = select(2, result.err:gsub("\n", ""))
    assert.equal(5, lines)
    assert.truthy(result.err:find("stdin:1: one\n", 1, true))
  end)

  it("that ends in the middle is an error", function()
    assert.truthy(session("for i = 1, 2 do\n").err:find("'end' expected", 1, true))
  end)

  it("finds pl", function()
    assert.equal("table\n", out "type(pl)\n")
  end)

  it("is left by exit and quit, unless they are something", function()
    for _, word in ipairs{ "exit", "quit", "exit()", " quit " } do
      assert.equal("1\n", out("print(1)\n" .. word .. "\nprint(2)\n"))
    end
    assert.equal("5\n2\n", out "exit = 5\nexit\nprint(2)\n")
  end)

  it("tells what things take", function()
    local text = out "help(pl.nn.Linear)"
    assert.truthy(text:find("Linear takes\n  in_features   size of each input (required)\n", 1,
      true))
    assert.truthy(text:find("  bias          learn an additive bias (true)\n", 1, true))
    assert.truthy(out('help "cumsum"'):find("^cumsum: running sum along axis.*: axis\n$"))
    assert.truthy(out("help()"):find("Tab completes names", 1, true))
    assert.truthy(out("help(pl.matmul)"):find("^matmul: matrix product"))
    assert.equal("no help on 3; help() tells what there is\n", out "help(3)")
  end)

  it("survives a value that cannot be shown", function()
    local result = session "setmetatable({}, { __tostring = function() error('no text') end })\n1\n"
    assert.equal("1\n", result.out)
    assert.truthy(result.err:find("no text", 1, true))
  end)
end)

describe("a terminal", function()
  local folder

  setup(function() folder = process.folder() end)
  teardown(function() process.remove(folder) end)

  it("has history, line editing and Ctrl-C", function()
    local terminal = process.terminal(folder)
    for _, step in ipairs{
      { "leaves.", "local x = 41\n" },
      { "> local x", "garbage(\3" },
      { "^C", "x + 1\n" },
      { "42", "while true do end\n" },
      { "true do end\r\n", "\3" },
      { "^C", "\3" },
      { "stdin:1: interrupted", "while true do pl.ones(2):sum() end\n" },
      { ":sum() end\r\n", "\3" },
      { "stdin:1: interrupted", "x + 3\2" .. "1\n" },
    } do
      terminal:expect(step[1])
      terminal:type(step[2])
    end
    terminal:expect("54")
    local log = terminal:close()
    assert.truthy(log:find("\n42\r", 1, true))
    assert.truthy(log:find("stdin:1: interrupted", 1, true))
    local history = process.read(folder .. "/perilune_history")
    assert.truthy(history:find("local\\040x\\040=\\04041", 1, true))
    assert.falsy(history:find("garbage", 1, true))
  end)

  it("completes names at Tab, and lists them where several are meant", function()
    local terminal = process.terminal(folder)
    for _, step in ipairs{
      { "leaves.", "local layer = pl.nn.Lin\t(2, 3)\n" },
      { "> ", "pl.nn.Conv\t" },
      { "\nConv1d           Conv2d           ConvTranspose2d", "\21lay\t:ev\t().training\n" },
      { "false\r\n", "nothing_of_it\t\21 6 * 7\n" },
    } do
      terminal:expect(step[1])
      terminal:type(step[2])
    end
    terminal:expect("42\r\n")
    terminal:close()
  end)
end)
