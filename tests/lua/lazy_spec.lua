local lazy = require "perilune.lazy"

describe("lazy", function()
  it("loads a member on first use from the file of its snake_case name", function()
    package.preload["lazy_fixture.my_layer"] = function() return { MyLayer = "the layer" } end
    local space = lazy("lazy_fixture")
    assert.is_nil(rawget(space, "MyLayer"))
    assert.are.equal("the layer", space.MyLayer)
    assert.are.equal("the layer", rawget(space, "MyLayer"))
  end)

  it("takes a file that returns the member itself", function()
    package.preload["lazy_fixture.mse_loss"] = function() return print end
    assert.are.equal(print, lazy("lazy_fixture").MSELoss)
  end)

  it("looks names of shared files up", function()
    package.preload["lazy_fixture.activations"] = function() return { ReLU = 1, GELU = 2 } end
    local space = lazy("lazy_fixture", { ReLU = "activations", GELU = "activations" })
    assert.are.equal(2, space.GELU)
  end)

  it("names an unknown member and the one meant", function()
    local space = lazy("lazy_fixture", { ReLU = "activations" })
    local ok, e = pcall(function() return space.RelU6x end)
    assert.is_false(ok)
    assert.are.equal("lazy_fixture has no 'RelU6x'", e.message:match("^[^(]+"):gsub("%s+$", ""))
    local _, hinted = pcall(function() return space.ReLu6 end)
    assert.truthy(hinted.message:find("(did you mean 'ReLU'?)", 1, true))
  end)

  it("does not take a class of another name for the one asked for", function()
    local Sgd = require("perilune.class")("SGD")
    package.preload["lazy_fixture.sgd"] = function() return Sgd end
    local space = lazy("lazy_fixture")
    assert.has_error(function() return space.Sgd end)
    assert.are.equal(Sgd, space.SGD)
    assert.are.equal(Sgd, lazy("lazy_fixture", { Alias = "sgd" }).Alias)
  end)

  it("suggests files that nobody listed", function()
    local _, e = pcall(function() return lazy("perilune").sugest end)
    assert.truthy(e.message:find("did you mean 'suggest'?", 1, true))
  end)

  it("leaves numbers alone", function()
    assert.is_nil(lazy("lazy_fixture")[1])
  end)
end)
