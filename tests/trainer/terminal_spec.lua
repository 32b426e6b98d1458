local terminal = require "perilune.terminal"

describe("terminal", function()
  it("counts and cuts characters, not bytes", function()
    assert.are.equal(5, terminal.length("━━╸é1"))
    assert.are.equal("━━", terminal.fit("━━╸é1", 2))
    assert.are.equal("abc", terminal.fit("abc", 3))
  end)
end)
