-- The language model, a few updates of it.
local process = require "tests.host.process"
local support = require "tests.recipes.support"

describe("recipes/character_lm.lua", function()
  local small = "--epochs 2 --limit 48 --width 32 --sample 30 --seed 1 --lr 0.02 "

  it("lowers the perplexity and writes a text of its own", function()
    local result = support.results("character_lm", small .. "--quiet")
    assert.are.equal(86, result.vocabulary_size)
    assert.is_true(result.eval_perplexity[2] < result.eval_perplexity[1])
    assert.is_true(result.eval_perplexity[2] < result.vocabulary_size)
    assert.are.equal("You may ", result.sample:sub(1, 8))
    assert.are.equal(38, #result.sample)
    local again = support.results("character_lm", small .. "--quiet --threads 1")
    assert.are.same({ result.eval_perplexity, result.sample },
      { again.eval_perplexity, again.sample })
  end)

  it("reads a text of the user's", function()
    local path = os.tmpname()
    process.write(path, ("na"):rep(500))
    local code, out, err = support.run("character_lm", ("%s --prompt nan --data %s"):format(small,
      path))
    os.remove(path)
    assert.are.equal(0, code, err)
    assert.truthy(out:find("\nnan[na]+\n"), out)
  end)

  it("measures what it has not read, and draws character after character", function()
    local path = os.tmpname()
    process.write(path, ("na"):rep(4500) .. ("bo"):rep(500))
    local arguments = ("%s --epochs 5 --quiet --prompt na --data %s"):format(small, path)
    local seen, result = support.observed("character_lm", arguments, [[
      function watch:on_training_run_end(trainer)
        local history, model = trainer.run_history, trainer.model
        seen.loss = history:get_latest_metric "eval_loss_epoch"
        pl.no_grad(function()
          model.head.weight:fill_(0)
          model.head.bias:fill_(0)
        end)
        local known, unknown, forward = 0, 0, pl.nn.LSTM.forward
        function pl.nn.LSTM:forward(x, state)
          if state then known = known + 1 else unknown = unknown + 1 end
          return forward(self, x, state)
        end
        local text = pl.no_grad(model.sample, model, "na", 40)
        seen.other_text = text ~= pl.no_grad(model.sample, model, "na", 40)
        seen.calls = { unknown, known }
        pl.nn.LSTM.forward = forward
      end
    ]])
    os.remove(path)
    assert.is_near(math.exp(seen.loss), result.eval_perplexity[5], 1e-9)
    assert.is_true(result.eval_perplexity[5] > 2 * result.train_perplexity[5])
    assert.is_true(seen.other_text)
    assert.are.same({ 2, 2 * 39 }, seen.calls)
  end)

  it("says in one sentence what is wrong with the text", function()
    for arguments, text in pairs {
      ["--data /nonexistent"] = "/nonexistent: No such file or directory; give a text with --data",
      ["--data /dev/null"] = "the text is empty",
      ["--prompt €"] = "lacks the character '€'",
    } do
      local code, _, err = support.run("character_lm", small .. arguments)
      assert.are.equal(1, code)
      assert.truthy(err:find(text, 1, true), err)
    end
  end)
end)
