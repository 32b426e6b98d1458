local strict = require "perilune.strict"

-- Chunks with the real globals: busted gives spec files an environment of their own.
local function chunk(code, name)
  return setfenv(assert(loadstring(code, name or "@script.lua")), _G)
end

describe("strict", function()
  after_each(function()
    strict.off()
    rawset(_G, "declared_here", nil)
  end)

  it("makes reading an undeclared global an error with a suggestion", function()
    strict.on()
    local ok, e = pcall(chunk("return pritn"))
    assert.is_false(ok)
    assert.are.equal("undeclared global 'pritn' (did you mean 'print'?)", e.message)
    assert.are.equal("script.lua:1", e.where)
  end)

  it("lets assignment declare, also with nil", function()
    strict.on()
    assert.are.equal(5, chunk("declared_here = 5 return declared_here")())
    assert.is_nil(chunk("declared_nil = nil return declared_nil")())
  end)

  it("leaves libraries alone", function()
    strict.on()
    assert.is_nil(chunk("return undeclared_name", "@/usr/share/lua/5.1/lib.lua")())
  end)

  it("ends when switched off", function()
    strict.on()
    strict.off()
    assert.is_nil(chunk("return undeclared_name")())
    assert.is_false(strict.is_on())
  end)

  it("keeps what another metatable of the globals gave", function()
    local before = getmetatable(_G)
    setmetatable(_G, { __index = { inherited_name = 7 } })
    strict.on()
    local value = chunk("return inherited_name")()
    strict.off()
    setmetatable(_G, before)
    assert.are.equal(7, value)
  end)
end)
