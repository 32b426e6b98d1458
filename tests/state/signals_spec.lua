-- Signals that end a run, in real processes: what is finished, what is left, how the process exits.

package.path = "./tests/host/?.lua;./tests/state/?.lua;" .. package.path
local pl = require "perilune"
local process = require "process"
local data, nn, optim = pl.data, pl.nn, pl.optim

-- Arguments: a directory, who saves, the update and its signals ("3:15,15"), and what is run.
local script = [[
local ffi, pl = require "ffi", require "perilune"
ffi.cdef "int kill(int pid, int signal); int getpid(void);"
local nn = pl.nn
local directory, keep, plan, mode = ...
local at, numbers = plan:match("^(%d+):(.*)$")
local function send(_, trainer)
  if trainer.update ~= tonumber(at) then return end
  at = nil
  if mode == "thrice" then os.execute(("kill -15 $PPID; sleep 0.05; "):rep(3)) end
  for number in numbers:gmatch("%d+") do ffi.C.kill(ffi.C.getpid(), tonumber(number)) end
end
local hooks = { on_exception = function(_, _, err) print("exception", err.kind) end,
  on_teardown = function() print "teardown" end,
  [mode == "evaluate" and "on_eval_step_start" or "on_train_step_start"] = send }
local other = { on_exception = function() print "exception too" end }
local callbacks = { hooks, other }
if keep == "callback" then
  callbacks[3] = pl.callbacks.SaveTrainingStateCallback{ save_dir = directory,
    every = { updates = 50 } }
end
pl.manual_seed(1)
local model = nn.Linear(3, 1)
local trainer = pl.Trainer{ model = model, loss_func = nn.MSELoss(), quiet = true,
  optimizer = pl.optim.SGD(model:parameters(), { lr = 0.1 }), callbacks = callbacks,
  root_dir = keep == "root" and directory or nil }
local options = { train_dataset = pl.data.TensorDataset(pl.randn(20, 3), pl.randn(20, 1)),
  eval_dataset = pl.data.TensorDataset(pl.randn(8, 3), pl.randn(8, 1)),
  num_epochs = 2, per_device_batch_size = 5 }
if mode == "steps" then
  for batch in trainer:steps(options) do
    pl.scope(function() return nil, batch[1]:sum() end)
    print("step", trainer.update)
  end
elseif mode == "caught" then
  print("caught", not pcall(trainer.train, trainer, options))
elseif mode == "fails later" then
  assert(not pcall(trainer.train, trainer, options))
  trainer:evaluate{ dataset = options.eval_dataset }
  error "another"
elseif mode == "alone" then
  trainer.callback_handler:add_callback{ on_eval_step_end = send }
  trainer:evaluate{ dataset = options.eval_dataset, per_device_batch_size = 4 }
else
  trainer:train(options)
end
print "end"
]]

describe("a signal", function()
  local folder, path
  before_each(function()
    folder = process.folder()
    path = process.write(folder .. "/script.lua", script)
  end)
  after_each(function() process.remove(folder) end)

  -- Both programs run scripts; a build with sanitizers only loads into its own.
  local programs = { process.quote(process.perilune) }
  if not process.sanitized then
    programs[2] = ("PERILUNE_LIB=%s LUA_PATH='./lua/?.lua;./lua/?/init.lua;;' luajit")
      :format(process.quote(process.build))
  end

  local function each_program(f)
    for i, program in ipairs(programs) do
      f(function(...)
        return process.run(table.concat({ program, path, ... }, " "))
      end, folder .. "/run" .. i)
    end
  end

  local function update_of(state)
    return require("perilune.state.directory").read_summary(state).update
  end

  it("is followed at the end of the update, and the state is saved", function()
    local cases = { { "2", "Ctrl-C", 130 }, { "15", "SIGTERM", 143 }, { "10", "SIGUSR1", 143 } }
    each_program(function(run, where)
      for _, case in ipairs(cases) do
        local result = run(where, "root", "3:" .. case[1])
        assert.are.equal(case[3], result.code, result.err)
        assert.are.equal("exception\tinterrupted\nexception too\nteardown\n", result.out)
        local sentence = ("interrupted by %s in epoch 1 after update 3; the state was saved in "
          .. "%s/interrupted (resume_from = \"auto\" goes on)"):format(case[2], where)
        assert.truthy(result.err:find(sentence, 1, true), result.err)
        assert.are.equal(3, update_of(where .. "/interrupted"))
      end
    end)
  end)

  it("leaves a state where a callback saves, none where nothing does", function()
    each_program(function(run, where)
      assert.are.equal(143, run(where, "callback", "2:15").code)
      assert.are.equal(2, update_of(where .. "/interrupted"))
      local result = run(where .. "x", "nothing", "2:15")
      assert.are.equal(143, result.code)
      assert.truthy(result.err:find("no state was saved", 1, true), result.err)
    end)
  end)

  it("is followed at the next op when it comes twice", function()
    each_program(function(run, where)
      local result = run(where, "root", "3:15,15")
      assert.are.equal(143, result.code, result.err)
      assert.are.equal("exception\tinterrupted\nexception too\nteardown\n", result.out)
      assert.are.equal(130, run(where, "root", "3:2,2").code)
      assert.is_nil(process.read(where .. "/interrupted/state.json"))
      assert.are.equal(143, run(where, "root", "3:15,2").code)   -- the first one decides
    end)
  end)

  it("ends the process at once when it comes a third time", function()
    each_program(function(run, where)
      local result = run(where, "root", "3:15", "thrice")
      assert.are.same({ 143, "" }, { result.code, result.out })
    end)
  end)

  it("waits for the end of an evaluation, and for the step of a loop over steps", function()
    each_program(function(run, where)
      local result = run(where, "root", "4:15", "evaluate")
      assert.are.equal(143, result.code, result.err)
      assert.truthy(result.err:find("after update 4; the state was saved", 1, true), result.err)
      local summary = require("perilune.state.directory").read_summary(where .. "/interrupted")
      assert.are.same({ 2, 0, true }, { summary.epoch, summary.step, summary.exact })
      result = run(where, "root", "2:15", "steps")
      assert.are.equal(143, result.code, result.err)
      assert.truthy(result.out:find("step\t2\nexception", 1, true), result.out)
      assert.are.equal(2, update_of(where .. "/interrupted"))
    end)
  end)

  it("ends an evaluation of its own at the next batch", function()
    each_program(function(run, where)
      local result = run(where, "root", "0:15", "alone")
      assert.are.equal(143, result.code, result.err)
      assert.truthy(result.err:find("interrupted by SIGTERM in epoch 1 after update 0\n", 1, true),
        result.err)
    end)
  end)

  it("may be caught, and then the process ends as ever", function()
    each_program(function(run, where)
      local result = run(where, "root", "2:15", "caught")
      assert.are.equal(0, result.code, result.err)
      assert.truthy(result.out:find("caught\ttrue\nend\n", 1, true), result.out)
      result = run(where, "root", "2:15", "'fails later'")
      assert.are.equal(1, result.code, result.err)
      assert.truthy(result.err:find("another", 1, true), result.err)
    end)
  end)

  it("that was ignored or not sent to a run keeps its meaning", function()
    local kill = ("%s -e 'require(\"perilune\") os.execute(\"kill -%%s $PPID\")'")
      :format(process.quote(process.perilune))
    assert.are.equal(143, process.run("sh -c " .. process.quote(kill:format("TERM"))).code)
    local result = process.run(("trap '' TERM; %s %s %s/x root 3:15"):format(
      process.quote(process.perilune), path, folder))
    assert.are.equal(0, result.code, result.err)
  end)

  it("is heard again by what was there before the run", function()
    local ffi = require "ffi"
    pcall(ffi.cdef, "typedef void (*spec_handler)(int); spec_handler signal(int, spec_handler);")
    local model = nn.Linear(3, 1)
    local trainer = pl.Trainer{ model = model, loss_func = nn.MSELoss(), quiet = true,
      optimizer = optim.SGD(model:parameters(), { lr = 0.1 }), callbacks = {} }
    trainer:train{ train_dataset = data.TensorDataset(pl.randn(4, 3), pl.randn(4, 1)),
      num_epochs = 1 }
    local before = ffi.C.signal(15, nil)
    assert.is_true(before == nil)
  end)
end)
