-- What Tab completes.

local pl = require "perilune"
local completion = require "perilune.repl.completion"

local variables = {
  model = function() return pl.nn.Linear(2, 2) end,
  t = function() return pl.ones(2) end,
  text = function() return "abc" end,
}

local function complete(line) return completion.complete(line, variables) end

describe("Tab", function()
  setup(function() rawset(_G, "pl", pl) end)
  teardown(function() rawset(_G, "pl", nil) end)

  it("completes what lazy namespaces have in files", function()
    assert.equal("ear", complete("x = pl.nn.Lin"))
    assert.equal("im", complete("pl.opt"))
    assert.equal("lyStopping", complete("pl.callbacks.Ear"))
    local text, names = complete("pl.nn.Conv")
    assert.is_nil(text)
    assert.equal("Conv1d           Conv2d           ConvTranspose2d", names)
  end)

  it("completes globals, locals, methods of objects, tensors and strings", function()
    assert.equal("int", complete("pr"))
    assert.equal("l", complete("print(mode"))
    assert.equal("ward", complete("model:for"))
    assert.equal("d", complete("t:index_ad"))
    assert.equal("mat", complete("text:for"))
  end)

  it("takes fields behind a dot and only functions behind a colon", function()
    assert.equal("atures", complete("model.in_fe"))
    assert.is_nil(complete("model:in_fe"))
  end)

  it("is silent where nothing is known, and calls nothing", function()
    assert.is_nil(complete("nothing.at_all"))
    assert.is_nil(complete("model.fields.of"))
    assert.is_nil(complete("f(x)."))
    assert.is_nil(complete(""))
  end)
end)
