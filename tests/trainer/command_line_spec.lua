local command_line = require "perilune.command_line"

local schema = {
  { "batch_size", 32, type = "integer", min = 1, doc = "images of a batch" },
  { "lr", 0.001, min = 0 },
  { "data", type = "string" },
  { "quiet", false },
}

local function parse(...)
  return command_line.parse(schema, { [0] = "recipes/demo.lua", ... }, "A demo.")
end

describe("command_line", function()
  it("fills in defaults", function()
    assert.are.same({ batch_size = 32, lr = 0.001, quiet = false }, parse())
  end)

  it("reads both forms and flags", function()
    assert.are.same({ batch_size = 8, lr = 0.5, data = "a=b", quiet = true },
      parse("--batch-size", "8", "--lr=0.5", "--data=a=b", "--quiet"))
  end)

  it("refuses in one sentence", function()
    for text, arguments in pairs{
      ["demo.lua: unknown option '--batchsize' (did you mean '--batch-size'?)"] = { "--batchsize" },
      ["demo.lua: '--batch-size' must be an integer >= 1, got 0"] = { "--batch-size", "0" },
      ["demo.lua: '--batch-size' must be an integer >= 1, got 'x'"] = { "--batch-size", "x" },
      ["demo.lua: --lr needs a value"] = { "--lr" },
      ["demo.lua: --quiet takes no value"] = { "--quiet=1" },
      ["demo.lua: unexpected argument 'x'"] = { "x" },
    } do
      local ok, err = pcall(parse, unpack(arguments))
      assert.is_false(ok)
      assert.are.equal("argument", err.kind)
      assert.are.equal(text, err.message:sub(1, #text))
      assert.is_nil(err.message:find("\n"))
    end
  end)
end)
