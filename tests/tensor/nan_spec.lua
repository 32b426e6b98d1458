-- NaNs with any bits, as a file may hold them: to Lua they are plain NaNs. LuaJIT keeps pointers
-- in the spare bits of NaNs; read as they are, these were nil, strings and tables of nobody.

local pl = require "perilune"
local process = require "tests.host.process"

local cases = {
  { "F32", "f32", "\255\255\255\255" .. "\170\170\250\255" .. "\1\0\128\127" .. "\0\0\192\255" },
  { "F64", "f64", ("\255"):rep(8) .. "\120\86\52\18\0\0\250\255" .. "\1\0\0\0\0\0\240\127"
    .. "\0\0\0\0\0\0\248\255" },
  { "F16", "f16", "\255\255" .. "\1\252" .. "\1\124" .. "\0\254" },
  { "BF16", "bf16", "\255\255" .. "\250\255" .. "\129\127" .. "\192\255" },
}

local function is_nan(value)
  assert.are.equal("number", type(value))
  assert.are_not.equal(value, value)
  assert.are.equal("nan", (tostring(value):gsub("^%-", "")))
end

describe("NaNs of any bits", function()
  local folder
  before_each(function() folder = process.folder() end)
  after_each(function() process.remove(folder) end)

  for _, case in ipairs(cases) do
    local name, dtype, bytes = unpack(case)
    it("are plain NaNs to Lua in " .. dtype, function()
      local header = ('{"x":{"dtype":"%s","shape":[4],"data_offsets":[0,%d]}}'):format(name, #bytes)
      local path = process.write(folder .. "/nan.safetensors",
        string.char(#header, 0, 0, 0, 0, 0, 0, 0) .. header .. bytes)
      local x = pl.safetensors.load(path).x
      assert.are.equal(dtype, x.dtype)
      for i, value in ipairs(x:totable()) do
        is_nan(value)
        is_nan(x[i]:item())
      end
      assert.are.equal(4, #x:totable())
      assert.truthy(tostring(x):find("nan", 1, true))
    end)
  end

  it("keep their bits in a file", function()
    local name, dtype, bytes = unpack(cases[1])
    local header = ('{"x":{"dtype":"%s","shape":[4],"data_offsets":[0,%d]}}'):format(name, #bytes)
    local path = process.write(folder .. "/nan.safetensors",
      string.char(#header, 0, 0, 0, 0, 0, 0, 0) .. header .. bytes)
    local x = pl.safetensors.load(path).x
    assert.are.equal(dtype, x.dtype)
    pl.safetensors.save(folder .. "/again.safetensors", { x = x })
    assert.are.equal(bytes, process.read(folder .. "/again.safetensors"):sub(-#bytes))
  end)
end)
