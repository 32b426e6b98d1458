local ProgressBar = require "perilune.progress_bar"
local terminal = require "perilune.terminal"

describe("ProgressBar", function()
  local stderr, written = io.stderr, nil
  local is_terminal, width = terminal.is_terminal, terminal.width

  local function shown_by(f)
    written = {}
    rawset(io, "stderr", {
      write = function(_, ...)
        for _, text in ipairs{ ... } do written[#written + 1] = text end
      end,
      flush = function() end,
    })
    local ok, err = pcall(f)
    rawset(io, "stderr", stderr)
    terminal.is_terminal, terminal.width = is_terminal, width
    assert(ok, err)
    return table.concat(written)
  end

  local tracker = { average = function() return 0.5 end }

  it("writes plain lines where there is no terminal", function()
    terminal.is_terminal = function() return false end
    local text = shown_by(function()
      local bar = ProgressBar("epoch 1/2", 1000, tracker)
      for step = 1, 1000 do bar:advance(step) end
      bar:finish()
    end)
    assert.truthy(text:find("^epoch 1/2: 1000/1000  %d+/s  0:00  loss 0.5000\n$"), text)
  end)

  it("redraws by time, not by step, within the terminal's width", function()
    terminal.is_terminal = function() return true end
    terminal.width = function() return 30 end
    local looks = 0
    local text = shown_by(function()
      local bar = ProgressBar("epoch 1/2", 100000, tracker)
      local last = bar.check_step
      for step = 1, 100000 do
        bar:advance(step)
        if bar.check_step ~= last then looks, last = looks + 1, bar.check_step end
      end
      bar:finish()
    end)
    assert.is_true(looks < 1000, "looked at the clock " .. looks .. " times")
    assert.truthy(text:find("100000/100000", 1, true), text)
    for line in text:gmatch("\r([^\r\n]*)\27%[K") do
      assert.is_true(terminal.length(line) < 30, line)
    end
    assert.truthy(text:find("\n$"))
  end)

  it("does without a total", function()
    terminal.is_terminal = function() return false end
    local text = shown_by(function()
      local bar = ProgressBar("stream", nil, nil)
      bar:advance(1)
      bar:finish()
    end)
    assert.truthy(text:find("^stream: 1  [%d.]+/s  0:00\n$"), text)
  end)

  it("counts the epochs of runs that go on from others", function()
    local pl = require "perilune"
    terminal.is_terminal = function() return false end
    local model = pl.nn.Linear(2, 1)
    local trainer = pl.Trainer{ model = model, loss_func = pl.nn.MSELoss(),
      optimizer = pl.optim.SGD(model:parameters(), { lr = 0.1 }),
      callbacks = { pl.callbacks.ProgressBarCallback } }
    local set = pl.data.TensorDataset(pl.randn(8, 2), pl.randn(8, 1))
    local text = shown_by(function()
      for _ = 1, 2 do
        trainer:train{ train_dataset = set, num_epochs = 2, reset_run_history = false }
      end
      trainer:train{ train_dataset = set, max_updates = 1 }
    end)
    local labels = {}
    for label in text:gmatch("epoch [%d/]+") do labels[#labels + 1] = label end
    assert.are.same({ "epoch 1/2", "epoch 2/2", "epoch 3/4", "epoch 4/4", "epoch 1" }, labels)
  end)
end)
