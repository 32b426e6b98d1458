local suggest = require "perilune.suggest"

describe("suggest", function()
  it("finds slips of the pen", function()
    assert.are.equal("bias", suggest.closest("bais", { "weight", "bias" }))
    assert.are.equal("Linear", suggest.closest("linear", { "Conv2d", "Linear" }))
    assert.are.equal("on_train_step_end",
      suggest.closest("on_train_step_ended", { "on_train_step_start", "on_train_step_end" }))
  end)

  it("stays silent when nothing is near", function()
    assert.is_nil(suggest.closest("banana", { "weight", "bias" }))
    assert.are.equal("", suggest.hint("banana", { "weight" }))
  end)

  it("is the same whatever the order of the candidates", function()
    assert.are.equal("cat", suggest.closest("bat", { "cat", "hat" }))
    assert.are.equal("cat", suggest.closest("bat", { "hat", "cat" }))
  end)

  it("words the hint", function()
    assert.are.equal(" (did you mean 'bias'?)", suggest.hint("bais", { "bias" }))
  end)
end)
