local check = require "perilune.check"
local class = require "perilune.class"
local errors = require "perilune.errors"

local Linear = class("Linear")
Linear.options = {
  { "in_features", type = "integer", required = true, doc = "size of each input" },
  { "out_features", type = "integer", required = true },
  { "bias", true, doc = "learn an additive bias" },
  { "mode", "fan_in", choices = { "fan_in", "fan_out" } },
  { "rate", 0.5, min = 0, max = 1 },
  { "extra", type = "table" },
  { "field", "lr", named = true },
}
function Linear:init(o) self.o = o end

--- The message of the error that f raises.
local function message(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "expected an error")
  assert.is_true(errors.is(e))
  return e.message, e
end

describe("check", function()
  it("takes required options by position, then a table, or all by name", function()
    local a = Linear(784, 128, { bias = false }).o
    local b = Linear { in_features = 784, out_features = 128, bias = false }.o
    local c = Linear(784, { out_features = 128, bias = false }).o
    assert.are.same(a, b)
    assert.are.same(a, c)
    assert.are.equal("fan_in", a.mode)
  end)

  it("names a misspelt option and the one meant", function()
    local text, e = message(Linear, 784, 128, { bais = false })
    assert.are.equal("Linear: unknown option 'bais' (did you mean 'bias'?)", text)
    assert.are.equal("argument", e.kind)
    assert.are.equal("bais", e.argument)
  end)

  it("names what is missing", function()
    assert.are.equal("Linear: option 'in_features' is required (integer)", message(Linear))
    assert.are.equal("Linear: option 'out_features' is required (integer)", message(Linear, 5))
  end)

  it("checks integers strictly", function()
    assert.are.equal(3, Linear(3.0, 1).o.in_features)
    assert.are.equal("Linear: 'in_features' must be an integer, got 3.5", message(Linear, 3.5, 1))
    assert.truthy(message(Linear, 0 / 0, 1):find("must be an integer", 1, true))
    assert.truthy(message(Linear, math.huge, 1):find("must be an integer", 1, true))
    assert.are.equal("Linear: 'in_features' must be an integer, got '3'", message(Linear, "3", 1))
  end)

  it("checks ranges and choices", function()
    local schema = { { "per_device_batch_size", 32, type = "integer", min = 1 } }
    assert.are.equal("Trainer:train: 'per_device_batch_size' must be an integer >= 1, got -3",
      message(check.call, schema, "Trainer:train", { per_device_batch_size = -3 }))
    assert.are.equal("Linear: 'rate' must be a number between 0 and 1, got 2",
      message(Linear, 1, 1, { rate = 2 }))
    assert.are.equal("Linear: 'mode' must be one of 'fan_in', 'fan_out', got 'fan_inn'"
      .. " (did you mean 'fan_in'?)", message(Linear, 1, 1, { mode = "fan_inn" }))
  end)

  it("lets false switch a default off, and nil keep it", function()
    assert.is_false(Linear(1, 1, { rate = false }).o.rate)
    assert.are.equal(0.5, Linear(1, 1, { rate = nil }).o.rate)
    assert.has_error(function() Linear(false, 1) end)
  end)

  it("takes the others by position after those, in the list's order", function()
    assert.are.same(Linear(784, 128, { bias = false }).o, Linear(784, 128, false).o)
    assert.are.equal("fan_out", Linear(784, 128, nil, "fan_out").o.mode)
    assert.are.equal(0.25, Linear(784, 128, true, { rate = 0.25 }).o.rate)
    assert.are.same({ 1 }, Linear(784, 128, true, "fan_in", 0.5, { 1 }).o.extra)
    assert.is_true(Linear(784, 128, true, "fan_in", 0.5, { extra = {} }).o.extra[1] == nil)
    assert.are.equal("Linear: 'bias' must be a boolean, got 7", message(Linear, 784, 128, 7))
    assert.truthy(message(Linear, 784, 128, false, { bias = true }):find("given twice", 1, true))
  end)

  it("refuses too many positions and double ones", function()
    assert.truthy(message(Linear, 1, 2, true, "fan_in", 1, {}, "lr")
      :find("argument 7 is too much, got 'lr'; the call is Linear(in_features, out_features,"
        .. " { option = value })", 1, true))
    assert.truthy(message(Linear, 1, 2, { in_features = 4 }):find("given twice", 1, true))
    assert.truthy(message(Linear, { 1, 2 }):find("value without a name at 1", 1, true))
  end)

  it("reads a sole table as the value where the first required option is a table", function()
    local schema = { { "params", type = "table", required = true }, { "lr", 0.1 } }
    assert.are.same({ 1, 2 }, check.call(schema, "SGD", { 1, 2 }).params)
    assert.are.equal(0.5, check.call(schema, "SGD", { 1 }, { lr = 0.5 }).lr)
    assert.are.same({ 1 }, check.call(schema, "SGD", { params = { 1 } }).params)
    assert.are.equal(0.5, check.call(schema, "SGD", { 1 }, 0.5).lr)
  end)

  it("returns an already checked table as it is", function()
    local Sub = class("Sub", Linear)
    Sub.options = { { "groups", 1 } }
    local o = Sub:check(1, 2, { groups = 2 })
    assert.are.equal(o, Linear:check(o))
    assert.are.equal(o, Sub:check(o))
    local base = Linear:check(1, 2)
    assert.are_not.equal(base, Sub:check(base))
  end)

  it("merges the lists of a class and its supers in order", function()
    local Sub = class("Sub", Linear)
    Sub.options = { { "groups", 1, doc = "how many" }, { "bias", false } }
    local names = {}
    for i, entry in ipairs(check.merged(Sub)) do names[i] = entry.name end
    assert.are.same({ "in_features", "out_features", "bias", "mode", "rate", "extra", "field",
      "groups" }, names)
    assert.is_false(check.merged(Sub)[3].default)
    assert.are.equal("number", check.merged(Sub)[8].type)
    assert.are.equal("how many", check.merged(Sub)[8].doc)
  end)

  it("accepts classes and lists of types", function()
    local schema = { { "model", type = Linear, required = true },
      { "loss", type = { "function", Linear } } }
    local model = Linear(1, 1)
    assert.are.equal(model, check.call(schema, "f", model).model)
    assert.are.equal("f: 'model' must be a Linear, got 3", message(check.call, schema, "f", 3))
    assert.truthy(message(check.call, schema, "f", model, { loss = 1 })
      :find("'loss' must be a function or Linear, got 1", 1, true))
  end)

  it("does not share table defaults", function()
    local schema = { { "list", { 1 } } }
    local a = check.call(schema, "f")
    a.list[1] = 2
    assert.are.equal(1, check.call(schema, "f").list[1])
  end)
end)

describe("check.strict_table", function()
  it("names an unknown field and the one meant", function()
    local batch = check.strict_table({ 5, image = 1, label = 2 }, "batch", { "weight" })
    assert.are.equal(1, batch.image)
    assert.are.equal(5, batch[1])
    assert.is_nil(batch[9])
    assert.is_nil(batch.weight)
    assert.are.equal("batch has no 'lable' (did you mean 'label'?)",
      message(function() return batch.lable end))
  end)
end)
