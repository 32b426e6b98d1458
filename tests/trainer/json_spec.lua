local json = require "perilune.json"

describe("json.encode", function()
  it("writes keys in sorted order, lists in theirs", function()
    assert.are.equal('{"a":[1,2,3],"b":{"c":true,"d":"x"},"z":-1}',
      json.encode{ z = -1, a = { 1, 2, 3 }, b = { d = "x", c = true } })
  end)

  it("gives every double back", function()
    for _, x in ipairs{ 0.1, 1 / 3, 2^53 + 2, 1e-308, 123456789.123456789, -0.5 } do
      assert.are.equal(x, tonumber(json.encode(x)))
    end
    assert.are.equal("9007199254740991", json.encode(2^53 - 1))
    assert.are.equal("60000", json.encode(60000))
  end)

  it("writes NaN and infinities as null", function()
    assert.are.equal("[null,null,null]", json.encode{ 0 / 0, math.huge, -math.huge })
  end)

  it("escapes", function()
    assert.are.equal([["a\"b\\c\n\u0001é"]], json.encode('a"b\\c\n\1é'))
  end)

  it("indents", function()
    assert.are.equal('{\n  "a": [\n    1\n  ],\n  "b": {}\n}',
      json.encode({ a = { 1 }, b = {} }, { indent = true }))
  end)

  it("is read by another reader as it was", function()
    local value = { list = { 1.5, "two", false }, nested = { x = 1e-7 } }
    assert.are.same(value, require("cjson").decode(json.encode(value, { indent = true })))
  end)

  it("refuses what JSON cannot hold, by path", function()
    for text, value in pairs{
      ["value%.a%[2%] is a function"] = { a = { 1, print } },
      ["value%.a is a table with both"] = { a = { 1, x = 2 } },
      ["value is a table with both a list and names, or with holes"] = { 1, nil, 3 },
    } do
      local ok, err = pcall(json.encode, value)
      assert.is_false(ok)
      assert.are.equal("argument", err.kind)
      assert.truthy(err.message:find(text), err.message)
    end
    local loop = {}
    loop.self = loop
    assert.has_error(function() json.encode(loop) end)
  end)
end)
