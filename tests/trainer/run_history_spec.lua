local InMemoryRunHistory = require "perilune.in_memory_run_history"
local RunHistory = require "perilune.run_history"
local run_config = require "perilune.run_config"

describe("InMemoryRunHistory", function()
  local history

  before_each(function() history = InMemoryRunHistory() end)

  it("keeps values by name, names in the order of first record", function()
    history:update_metric("train_loss_epoch", 2)
    history:update_metric("eval_loss_epoch", 3)
    history:update_metric("train_loss_epoch", 1)
    assert.are.same({ "train_loss_epoch", "eval_loss_epoch" }, history:get_metric_names())
    assert.are.same({ 2, 1 }, history:get_metric_values("train_loss_epoch"))
    assert.are.equal(1, history:get_latest_metric("train_loss_epoch"))
  end)

  it("answers copies", function()
    history:update_metric("loss", 2)
    table.insert(history:get_metric_values("loss"), 5)
    assert.are.same({ 2 }, history:get_metric_values("loss"))
  end)

  it("puts the prefix before names", function()
    history:set_metric_name_prefix("ema_model_")
    history:update_metric("eval_loss_epoch", 3)
    history:set_metric_name_prefix("")
    assert.are.same({ "ema_model_eval_loss_epoch" }, history:get_metric_names())
  end)

  it("deletes and resets", function()
    history:update_metric("a", 1)
    history:update_metric("b", 1)
    history:delete_metric("a")
    assert.are.same({ "b" }, history:get_metric_names())
    history:increment_epoch()
    assert.are.equal(2, history.current_epoch)
    history:reset()
    assert.are.equal(1, history.current_epoch)
    assert.are.same({}, history:get_metric_names())
  end)

  it("names the metric that was meant", function()
    history:update_metric("eval_loss_epoch", 1)
    for _, method in ipairs{ "get_latest_metric", "get_metric_values", "delete_metric" } do
      local ok, err = pcall(history[method], history, "eval_los_epoch")
      assert.is_false(ok)
      assert.are.equal("argument", err.kind)
      assert.truthy(err.message:find("did you mean 'eval_loss_epoch'", 1, true), err.message)
    end
  end)

  it("is a RunHistory, whose own methods must be defined", function()
    assert.is_true(history:is_a(RunHistory))
    local ok, err = pcall(RunHistory.reset, RunHistory())
    assert.is_false(ok)
    assert.are.equal("RunHistory does not define reset", err.message)
  end)
end)

describe("A history's text", function()
  it("has each metric's newest value", function()
    local history = InMemoryRunHistory()
    history:update_metric("loss", 2)
    history:update_metric("loss", 0.51234567)
    assert.are.equal("InMemoryRunHistory(epoch 1\n  loss: 0.5123 (2 recorded))", tostring(history))
  end)
end)

describe("run_config", function()
  local config = run_config{ num_epochs = 3, is_distributed = false, train_dl_kwargs = { a = 1 } }

  it("reads known fields; those not given are nil", function()
    assert.are.equal(3, config.num_epochs)
    assert.is_false(config.is_distributed)
    assert.is_nil(config.gradient_clip_value)
  end)

  it("cannot be changed, nor can what it holds", function()
    assert.has_error(function() config.num_epochs = 4 end)
    config.train_dl_kwargs.a = 2
    config:to_table().num_epochs = 9
    assert.are.equal(1, config.train_dl_kwargs.a)
    assert.are.equal(3, config.num_epochs)
  end)

  it("gives a plain copy", function()
    assert.are.same({ num_epochs = 3, is_distributed = false, train_dl_kwargs = { a = 1 } },
      config:to_table())
  end)

  it("prints its values", function()
    assert.are.equal("run_config(\n  num_epochs = 3\n  is_distributed = false)", tostring(config))
  end)

  it("refuses unknown names", function()
    local ok, err = pcall(function() return config.num_epoch end)
    assert.is_false(ok)
    assert.truthy(err.message:find("did you mean 'num_epochs'", 1, true), err.message)
    assert.has_error(function() run_config{ epochs = 1 } end)
  end)
end)
