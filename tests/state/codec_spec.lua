local pl = require "perilune"
local codec = require "perilune.state.codec"
local json_reader = require "perilune.json_reader"

local function there_and_back(value)
  return codec.decode(codec.encode(value, "x"))
end

describe("json_reader", function()
  it("reads what JSON has", function()
    assert.are.same({ a = { 1, -2.5e3, true, false }, b = {},
      ["c\n"] = "\195\169\240\159\140\153\127" },
      json_reader.decode(
        ' {"a":[1,-2.5e3,true,false],"b":{},"c\\n":"\\u00e9\\ud83c\\udf19\127"} '))
    assert.are.equal(json_reader.null, json_reader.decode("null"))
    assert.are.equal(0.1, json_reader.decode("0.10000000000000001"))
  end)

  it("refuses what is no JSON, at any cut", function()
    local text = '{"a":[1,-2.5e3,true],"b":{"c":"\\u00e9\\n"}}'
    for n = 0, #text - 1 do
      local ok, err = pcall(json_reader.decode, text:sub(1, n))
      assert.is_false(ok)
      assert.are.equal("format", err.kind)
    end
    for _, bad in ipairs{ "01", "+1", "1.", ".5", "1e", "nan", "[1,]", "{,}", "{'a':1}", "[1 2]",
      '"\1"', '"\\x"', '"\\ud800"', "1 1", '{"a":1,"a":2}', "tru",
      ("["):rep(1000), "0x10", "--1" } do
      local ok, err = pcall(json_reader.decode, bad)
      assert.is_false(ok, bad)
      assert.are.equal("format", err.kind, tostring(err))
    end
  end)
end)

describe("codec", function()
  it("brings data back as it was", function()
    local value = { list = { 1, 2, { 3 } }, name = "x\n\"", yes = true, no = false, empty = {},
      third = 1 / 3, tiny = 5e-324, inf = math.huge, minus = -math.huge,
      holes = { [2] = "two", [5] = { 1 } }, [7] = "mixed", ["$tensor"] = "no tensor",
      inner = { ["$number"] = "inf" } }
    assert.are.same(value, there_and_back(value))
    local nan = there_and_back{ 0 / 0 }[1]
    assert.are_not.equal(nan, nan)
    assert.is_true(there_and_back{ 9007199254740993LL }[1] == 9007199254740993LL)
    assert.is_true(there_and_back{ -9223372036854775807LL - 1 }[1] == -9223372036854775807LL - 1)
  end)

  it("puts tensors aside, under names of their places", function()
    local t = pl.tensor{ 1, 2 }
    local text, tensors = codec.encode({ a = { t }, b = t }, "state")
    assert.are.same({ "state.a.1", "state.b" }, { tensors[1], tensors[2] })
    assert.are.equal(t, codec.decode(text, tensors).a[1])
  end)

  it("keeps tensors apart whose places read alike", function()
    local one, two = pl.tensor{ 1 }, pl.tensor{ 2 }
    local text, tensors = codec.encode({ ["a.b"] = one, a = { b = two } }, "state")
    local back = codec.decode(text, tensors)
    assert.are.equal(one, back["a.b"])
    assert.are.equal(two, back.a.b)
  end)

  it("names what cannot be saved", function()
    local loop = {}
    loop.loop = loop
    for _, case in ipairs{ { { f = print }, "'x.f' is a function" }, { loop, "contains itself" },
      { { o = pl.nn.ReLU() }, "'x.o' is an object" }, { { [true] = 1 }, "a boolean as a key" } } do
      local ok, err = pcall(codec.encode, case[1], "x")
      assert.is_false(ok)
      assert.truthy(err.message:find(case[2], 1, true), err.message)
    end
  end)

  it("refuses damaged text", function()
    for _, text in ipairs{ '{"$tensor":"gone"}', '{"$tensor":[1]}', '{"$number":"x"}',
      '{"$int64":"1x"}', '{"$int64":5}', '{"$pairs":5}', '{"$pairs":[5]}', '{"$pairs":[[[],1]]}',
      '{"$pairs":[[{"$number":"nan"},1]]}', "{" } do
      local ok, err = pcall(codec.decode, text, {})
      assert.is_false(ok, text)
      assert.are.equal("format", err.kind, text .. ": " .. tostring(err))
    end
  end)
end)
