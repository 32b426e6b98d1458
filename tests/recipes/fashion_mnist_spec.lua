-- The recipe, run as a user runs it: through the executable, on 500 images.
local lfs = require "lfs"
local support = require "tests.recipes.support"

local function run(arguments, prefix)
  return support.run("fashion_mnist", arguments, prefix)
end

describe("recipes/fashion_mnist.lua", function()
  local small = "--limit 500 --epochs 2 --seed 1 "

  it("trains, prints a table and the test accuracy, writes its JSON", function()
    local code, out, err = run(small .. "--lr 0.05 --threads 1")
    assert.are.equal(0, code, err)
    assert.truthy(out:find("epoch  train loss  valid loss", 1, true), out)
    assert.truthy(out:find("test accuracy 0%.%d+"), out)
    assert.is_nil((out .. err):find("\r"))
    local result = support.results("fashion_mnist", small .. "--lr 0.05 --threads 1 --quiet")
    assert.are.equal(2, #result.train_loss)
    assert.are.equal(2, #result.seconds_per_epoch)
    assert.is_true(result.train_loss[2] < result.train_loss[1])
    assert.is_true(result.test_accuracy > 0.3 and result.test_accuracy <= 1)
    assert.are.equal(1, result.seed)
    assert.are.equal(1, result.threads)
    for _, name in ipairs{ "test_loss", "samples_per_second", "time_to_first_update_s",
      "peak_rss_bytes" } do
      assert.is_true(result[name] > 0, name)
    end
    assert.are.equal("string", type(result.perilune_version))
  end)

  it("holds out a part of the training images, and tests on the test images", function()
    local seen = support.observed("fashion_mnist", small .. "--quiet", [[
      function watch:on_training_run_start(trainer)
        seen.sizes = { trainer.train_dataset:size(), trainer.eval_dataset:size() }
        seen.momentum = trainer.optimizer.param_groups[1].momentum
        local held_out = {}
        for i = 1, trainer.eval_dataset:size() do held_out[trainer.eval_dataset:index(i)] = true end
        seen.leaked = 0
        for i = 1, trainer.train_dataset:size() do
          if held_out[trainer.train_dataset:index(i)] then seen.leaked = seen.leaked + 1 end
        end
      end
      function watch:on_evaluation_run_start(trainer)
        local test = pl.data.FashionMNIST{ split = "test" }
        seen.tests = same(first_batch(trainer.eval_dataset)[1], first_batch(test)[1])
      end
    ]])
    assert.are.same({ 459, 41 }, seen.sizes)
    assert.are.equal(0, seen.leaked)
    assert.are.equal(0.9, seen.momentum)
    assert.is_true(seen.tests)
  end)

  it("gives the same losses with one thread and two, and from run to run", function()
    local losses = {}
    for i, threads in ipairs{ 1, 1, 2 } do
      local result = support.results("fashion_mnist", small .. "--quiet --threads " .. threads)
      losses[i] = { result.train_loss, result.test_loss, result.test_accuracy }
    end
    assert.are.same(losses[1], losses[2])
    assert.are.same(losses[1], losses[3])
  end)

  it("is quiet when told", function()
    local code, out, err = run(small .. "--quiet")
    assert.are.same({ 0, "", "" }, { code, out, err })
  end)

  it("refuses bad options in one sentence", function()
    for arguments, text in pairs{
      ["--epoch 3"] = "unknown option '--epoch' (did you mean '--epochs'?)",
      ["--batch-size 0"] = "'--batch-size' must be an integer >= 1, got 0",
      ["--data /nonexistent"] = "/nonexistent",
      ["--json /nonexistent/out.json"] = "cannot write /nonexistent/out.json: No such file",
    } do
      local code, out, err = run(arguments)
      assert.are.equal(1, code)
      assert.are.equal("", out)
      assert.truthy(err:find(text, 1, true), err)
      assert.are.equal(1, select(2, err:gsub("\n", "")), err)
    end
  end)

  it("says so when the disk is full, and leaves nothing half written", function()
    local code, _, err = run(small .. "--quiet --json /dev/full")
    assert.are.equal(1, code)
    assert.truthy(err:find("cannot write /dev/full: No space left on device", 1, true), err)
    assert.are.equal("char device", lfs.attributes("/dev/full", "mode"))
  end)

  it("ends at the next update after Ctrl-C, with 130", function()
    local code, _, err = run("--limit 500 --epochs 1000000 --quiet",
      "timeout --foreground --preserve-status -s INT 1 ")
    assert.are.equal(130, code)
    assert.truthy(err:find("interrupted by Ctrl%-C in epoch %d+ after update %d+; no state was "
      .. "saved"), err)
    assert.are.equal(1, select(2, err:gsub("\n", "")), err)
  end)

  it("helps", function()
    local code, out = run("--help")
    assert.are.equal(0, code)
    for _, option in ipairs{ "--epochs INTEGER", "--data STRING", "--json STRING", "--limit" } do
      assert.truthy(out:find(option, 1, true), out)
    end
  end)
end)
