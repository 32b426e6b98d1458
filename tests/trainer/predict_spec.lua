local pl = require "perilune"
local class, nn, data = pl.class, pl.nn, pl.data
local Trainer = pl.Trainer

-- The model doubles its input; in training mode it would triple it.
local Double = class("Double", nn.Module)
function Double:forward(x) return x * (self.training and 3 or 2) end

local function set(n) return data.TensorDataset(pl.arange(1, n):reshape(n, 1)) end

local function make(callbacks, class_of)
  return (class_of or Trainer){ model = Double(), callbacks = callbacks or {}, quiet = true }
end

local function values(n)
  local list = {}
  for i = 1, n do list[i] = { 2 * i } end
  return list
end

describe("Trainer:predict", function()
  it("gives the outputs of all samples in order, in evaluation mode, without gradients", function()
    local trainer = make()
    local outputs = trainer:predict{ dataset = set(7), per_device_batch_size = 3 }
    assert.are.same(values(7), outputs:totable())
    assert.is_false(outputs.requires_grad)
    assert.is_true(trainer.model.training)
    assert.are.equal("finished", trainer.state)
    assert.are.equal(3, trainer.run_config.eval_per_device_batch_size)
  end)

  it("tells callbacks, in order, and need not return anything", function()
    local calls, sums = {}, 0
    local recorder = {}
    for _, event in ipairs(Trainer.events) do
      recorder[event] = function() calls[#calls + 1] = event end
    end
    function recorder.on_predict_step_end(_, _, batch, outputs, step)
      calls[#calls + 1] = "step " .. step
      sums = sums + outputs:sum():item() - batch[1]:sum():item()
    end
    local trainer = make{ recorder }
    assert.is_nil(trainer:predict{ dataset = set(4), per_device_batch_size = 2,
      return_predictions = false })
    assert.are.equal(10, sums)
    assert.are.same({ "on_init_end", "on_predict_run_start", "on_predict_step_start", "step 1",
      "on_predict_step_start", "step 2", "on_predict_run_end", "on_teardown" }, calls)
  end)

  it("joins tables of tensors field by field", function()
    local Two = class("Two", Trainer)
    function Two:calculate_predictions(batch)
      return { self.model(batch[1]), square = batch[1]:square() }
    end
    local outputs = make({}, Two):predict{ dataset = set(3), per_device_batch_size = 2 }
    assert.are.same({ { 2 }, { 4 }, { 6 } }, outputs[1]:totable())
    assert.are.same({ { 1 }, { 4 }, { 9 } }, outputs.square:totable())
  end)

  it("gives a list of batches where they cannot be joined", function()
    local Ragged = class("Ragged", Trainer)
    function Ragged.calculate_predictions(_, batch) return batch[1]:t() end
    local trainer = make({}, Ragged)
    local run = { dataset = set(3), per_device_batch_size = 2 }
    local ok, err = pcall(trainer.predict, trainer, run)
    assert.is_false(ok)
    assert.truthy(err.message:find("those of batch 2 are 1x1, of the first 1x2; concatenate "
      .. "= false", 1, true), err.message)
    run.concatenate = false
    local list = trainer:predict(run)
    assert.are.same({ { { 1, 2 } }, { { 3 } } }, { list[1]:totable(), list[2]:totable() })
  end)

  it("obeys a limit", function()
    local outputs = make():predict{ dataset = set(9), per_device_batch_size = 2,
      limit_batches = { batches = 2 } }
    assert.are.same({ 4, 1 }, outputs.shape)
  end)
end)
