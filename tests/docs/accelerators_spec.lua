-- docs/accelerators.md, followed from scratch: its commands build the worked example against an
-- installed tree, and the code it shows is the code that is there.

local process = require "tests.host.process"

local page = process.read "docs/accelerators.md"

--- The blocks of the page in one language.
local function blocks(language)
  local found = {}
  for text in page:gmatch("```" .. language .. "\n(.-)```") do found[#found + 1] = text end
  return found
end

describe("docs/accelerators.md", function()
  it("builds the worked example from nothing but an installed Perilune", function()
    if process.sanitized then return pending "the example would be built without the sanitizer" end
    local folder = process.folder()
    local prefix = folder .. "/prefix"
    local install = process.run(("cmake --install %s --prefix %s"):format(
      process.quote(process.build), process.quote(prefix)))
    assert.equal(0, install.code, install.err)
    local result = process.run(("env -u PERILUNE_LIB -u PERILUNE_ACCELERATORS -u LUA_PATH "
      .. "PREFIX=%s WORK=%s PATH=%s/bin:$PATH sh -e"):format(prefix, folder, prefix),
      blocks("sh")[1])
    process.remove(folder)
    assert.equal(0, result.code, result.err)
    assert.truthy(result.out:find("4\ta pretend device with memory and a stream of its own", 1,
      true), result.out .. result.err)
  end)

  it("shows code that is in accelerators/xpu", function()
    local sources = ""
    for _, name in ipairs{ "xpu.c", "heap.c", "stream.c", "kernels.c" } do
      sources = sources .. process.read("accelerators/xpu/" .. name)
    end
    local shown = blocks "c"
    assert.is_true(#shown >= 3)
    for _, text in ipairs(shown) do assert.truthy(sources:find(text, 1, true), text) end
  end)

  it("shows an accelerator in Lua alone that runs as it stands", function()
    local script
    for _, text in ipairs(blocks "lua") do
      if text:find("pl.LuaAccelerator", 1, true) then script = text end
    end
    local folder = process.folder()
    local path = process.write(folder .. "/moon.lua", script)
    local result = process.run(process.quote(process.perilune) .. " " .. process.quote(path))
    process.remove(folder)
    assert.equal(0, result.code, result.err)
    assert.equal("4\n", result.out)
  end)
end)
