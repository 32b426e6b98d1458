local errors = require "perilune.errors"

describe("errors", function()
  it("point at the first line outside Perilune's own files", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local ok, e = pcall(function() require("perilune.check").value("f", "x", 1, { min = 2 }) end)
    assert.is_false(ok)
    assert.truthy(tostring(e):match("errors_spec%.lua:" .. line .. ": f: 'x' must be"))
    assert.truthy(e.traceback:find("errors_spec", 1, true))
  end)

  it("carry their fields", function()
    local ok, e = pcall(errors.raise, "shape", "no fit", { op = "linear", argument = "input" })
    assert.is_false(ok)
    assert.are.same({ "shape", "no fit", "linear", "input" },
      { e.kind, e.message, e.op, e.argument })
    assert.is_true(errors.is(e))
    assert.is_false(errors.is("text"))
  end)

  it("refuse a kind that does not exist", function()
    assert.has_error(function() errors.raise("shapes", "x") end)
  end)

  it("wrap strings with their position and keep the first traceback", function()
    local ok, raw = pcall(error, "script.lua:12: something broke", 0)
    assert.is_false(ok)
    local e = errors.wrap(raw)
    assert.are.equal("user", e.kind)
    assert.are.equal("something broke", e.message)
    assert.are.equal("script.lua:12: something broke", tostring(e))
    local first = e.traceback
    local _, again = pcall(error, e, 0)
    assert.are.equal(e, errors.wrap(again))
    assert.are.equal(first, errors.wrap(again).traceback)
  end)

  it("wrap values of any type", function()
    local value = {}
    assert.are.equal(value, errors.wrap(value).value)
    assert.are.equal("nil", errors.wrap(nil).message)
  end)

  it("keep the whole stack when used as a handler", function()
    local function deep() error("boom") end
    local _, e = xpcall(function() deep() end, errors.handler)
    assert.are.equal("boom", e.message)
    assert.truthy(e.where:find("errors_spec.lua", 1, true))
    assert.truthy(e.traceback:find("deep", 1, true))
  end)

  it("skip user levels when told to", function()
    local function helper() errors.raise("user", "bad", { level = 1 }) end
    local line = debug.getinfo(1, "l").currentline + 1
    local _, e = pcall(function() helper() return 1 end)
    assert.truthy(e.where:match(":" .. line .. "$"))
  end)
end)
