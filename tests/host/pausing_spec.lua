-- Ctrl-C at the session, on a terminal that script(1) provides and with the signal it sends: a run
-- is paused with all its frames, looked at, changed, and goes on.

package.path = "./tests/host/?.lua;" .. package.path
local process = require "process"

-- What every session here loads. An update takes a few milliseconds, so that a key arrives between
-- two of them; "at update 3" is printed when it is time to press one.
local SETUP = [==[
local data, nn = pl.data, pl.nn
set, evals = nil, nil

local function wait(seconds)
  local stop = pl.engine.clock() + seconds
  while pl.engine.clock() < stop do end
end

local Recorder = { name = "recorder" }
function Recorder.on_train_step_end(_, trainer)
  wait(0.004)
  if trainer.update == 3 then print("at update " .. 3) end
end
function Recorder.on_eval_step_end(_, _, _, _, step)
  wait(0.004)
  if step == 2 then print("at batch " .. 2) end
end
for _, event in ipairs{ "training_run_end", "stop_training", "exception", "teardown" } do
  Recorder["on_" .. event] = function() print("event " .. event) end
end

function make(fields)
  pl.manual_seed(4)
  set = data.TensorDataset(pl.randn(160, 4), pl.randn(160, 1))
  evals = data.TensorDataset(pl.randn(400, 4), pl.randn(400, 1))
  local model = nn.Sequential{ nn.Linear(4, 8), nn.Dropout{ p = 0.3 }, nn.Linear(8, 1) }
  local options = { model = model, loss_func = nn.MSELoss(), callbacks = { Recorder },
    optimizer = pl.optim.SGD(model:parameters(), { lr = 0.01, momentum = 0.9 }), quiet = true }
  for name, value in pairs(fields or {}) do options[name] = value end
  return pl.Trainer(options)
end

function options(fields)
  local o = { train_dataset = set, num_epochs = 3, per_device_batch_size = 4 }
  for name, value in pairs(fields or {}) do o[name] = value end
  return o
end

function weights(trainer)
  local values = {}
  for _, p in ipairs(trainer.model:parameters()) do
    for _, v in ipairs(p:detach():flatten():totable()) do values[#values + 1] = ("%a"):format(v) end
  end
  return table.concat(values, " ")
end
print("loa" .. "ded")
]==]

local folder, terminal

-- Types a line and waits for what it prints.
local function enter(line, shown)
  terminal:expect("> ")
  terminal:type(line .. "\n")
  if shown then terminal:expect(shown) end
end

local function has(log, text)
  assert.truthy(log:find(text, 1, true), text .. " is not in\n" .. log)
end

local function count(log, text)
  local n, at = 0, 1
  while true do
    local first, last = log:find(text, at, true)
    if not first then return n end
    n, at = n + 1, last + 1
  end
end

describe("Ctrl-C at the session", function()
  before_each(function()
    folder = process.folder()
    terminal = process.terminal(folder)
    enter(('dofile "%s"'):format(process.write(folder .. "/setup.lua", SETUP)), "loaded\r\n")
  end)
  after_each(function() process.remove(folder) end)

  it("pauses a run, which can be looked at and changed, and goes on where it was", function()
    enter("t = make()")
    enter('local h = t:train(options()) print("ended " .. t.update)', "at update 3\r\n")
    terminal:type("\3")
    terminal:expect("paused in epoch 1 after update ")
    enter("n = t.update return t.state", "paused\r\n")
    enter("t.optimizer.param_groups[1].lr = 0.25")
    enter('t:add_callback{ name = "late", on_optimizer_step_end = function(c, t) '
      .. 'if not c.n then c.n = t.update print("late " .. c.n - n) end end };')
    enter("t:replace_callback('late', { name = 'later', on_optimizer_step_end = "
      .. "function(c, t) if not c.n then c.n = t.update print('later ' .. c.n - n) end end });")
    enter("t:resume()", "ended 120\r\n")
    enter("t.state, h == t.run_history, t.optimizer.param_groups[1].lr",
      "finished\ttrue\t0.25\r\n")
    enter("t:resume()", "Trainer:resume: this trainer has no paused run (it is finished)")
    local log = terminal:close()
    has(log, "later 1\r\n")
    assert.equal(0, count(log, "late 1\r\n"))
    assert.equal(1, count(log, "event training_run_end\r\n"))
    assert.equal(1, count(log, "event teardown\r\n"))
    assert.equal(0, count(log, "event exception\r\n") + count(log, "event stop_training\r\n"))
  end)

  it("changes no bit of the numbers, within an epoch or after its evaluation", function()
    enter("a = make() o = options{ eval_dataset = evals, num_epochs = 2 }")
    enter("a:train(o);", "event teardown\r\n")
    enter("b = make() pl.scope(function() b:train(o) end)", "at update 3\r\n")
    terminal:type("\3")
    terminal:expect("paused in epoch 1 after update ")
    enter("x = pl.randn(3) c = make{ callbacks = {} } c:train(o);")
    enter("b:resume()", "at batch 2\r\n")
    terminal:type("\3")
    terminal:expect("paused in epoch 2 after update 40:")
    enter("pl.context.grad_enabled(), pl.context.current()", "true\t0\r\n")
    enter("x = pl.randn(3) b:resume()", "event teardown\r\n")
    enter("weights(a) == weights(b), weights(a) == weights(c), pl.context.current()",
      "true\ttrue\t0\r\n")
    terminal:close()
  end)

  it("pauses where the loop is the user's own, and the loop goes on", function()
    enter("t, n = make(), 0")
    enter("for _ in t:steps(options()) do n = n + 1 end print('bodies ' .. n)", "at update 3\r\n")
    terminal:type("\3")
    terminal:expect("paused in epoch 1 after update ")
    enter("t:steps()", "resume() goes on inside it")
    enter("t:resume()", "bodies 120\r\n")
    enter("for _ in t:steps(options()) do if t.update == 2 then break end end")
    enter("t.state", "paused\r\n")
    enter("t:resume();", "at update 3\r\n")
    terminal:type("\3")
    terminal:expect("paused in epoch 1 after update ")
    enter("t:resume();", "event teardown\r\n")
    enter("t.state, t.update", "finished\t120\r\n")
    terminal:close()
  end)

  it("and abort end a run through its end events, and an evaluation with an error", function()
    enter("t = make()")
    enter("t:train(options()) print('after ' .. t.state)", "at update 3\r\n")
    terminal:type("\3")
    terminal:expect("paused in epoch 1 after update ")
    enter("n = t.update t:abort('enough')", "after finished\r\n")
    enter("t.update == n, t.stop_reason", "true\tenough\r\n")
    enter("r = t:evaluate{ dataset = evals }", "at batch 2\r\n")
    terminal:type("\3")
    terminal:expect("paused in epoch 1 after update ")
    enter("pl.context.grad_enabled()", "true\r\n")
    enter("t:abort()", "aborted after ")
    enter("t.state", "failed\r\n")
    local log = terminal:close()
    assert.equal(1, count(log, "event training_run_end\r\n"))
    assert.equal(1, count(log, "event stop_training\r\n"))
    assert.equal(1, count(log, "event exception\r\n"))
    assert.equal(2, count(log, "event teardown\r\n"))
  end)

  it("twice ends a run at the next op, inside an update", function()
    enter("t = make()")
    enter("t:add_callback{ on_backward_end = function() print('lo' .. 'ng') while true do "
      .. "pl.ones(2):sum() end end };")
    enter("t:train(options())", "long\r\n")
    terminal:type("\3")
    terminal:expect("^C")
    terminal:type("\3")
    terminal:expect("interrupted\r\n")
    enter("t.state, t.update", "failed\t1\r\n")
    local log = terminal:close()
    has(log, "event exception\r\n")
    has(log, "event teardown\r\n")
  end)

  it("ends a run that was called through C, and says so", function()
    enter("t = make()")
    enter("table.sort({ 1, 2 }, function() t:train(options()) end)", "at update 3\r\n")
    terminal:type("\3")
    terminal:expect("interrupted by Ctrl-C in epoch 1 after update ")
    enter("t.state", "failed\r\n")
    terminal:close()
  end)

  it("leaves a paused run that Ctrl-D ends like a script's", function()
    enter(("t = make{ root_dir = %q }"):format(folder .. "/run"))
    enter("t:train(options())", "at update 3\r\n")
    terminal:type("\3")
    terminal:expect("paused in epoch 1 after update ")
    terminal:type("\4")
    terminal:expect("a run is paused: trainer:resume() goes on, another Ctrl-D ends it")
    local log = terminal:close()
    has(log, "event exception\r\n")
    has(log, "event teardown\r\n")
    has(log, "the state was saved in ")
    assert.is_string(process.read(folder .. "/run/interrupted/state.json"))
  end)

  it("leaves a paused run that SIGTERM at the prompt ends with a state", function()
    enter(("t = make{ root_dir = %q }"):format(folder .. "/run"))
    enter("t:train(options())", "at update 3\r\n")
    terminal:type("\3")
    terminal:expect("paused in epoch 1 after update ")
    enter("os.execute('kill -TERM $PPID');", "the state was saved in ")
    terminal:close(true)
    assert.is_string(process.read(folder .. "/run/interrupted/state.json"))
  end)
end)
