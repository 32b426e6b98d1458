-- `make install` and `make uninstall`: an installed tree works from anywhere and goes away whole.

package.path = "./tests/host/?.lua;" .. package.path
local process = require "process"
local quote = process.quote

describe("an installed tree", function()
  local prefix

  setup(function()
    prefix = process.folder()
    local result = process.run(("cmake --install %s --prefix %s")
      :format(quote(process.build), quote(prefix)))
    assert.equal(0, result.code, result.err)
  end)

  teardown(function() process.remove(prefix) end)

  it("runs perilune from any folder", function()
    local result = process.run(("cd / && env -u PERILUNE_LIB %s/bin/perilune -e %s"):format(prefix,
      quote 'require "perilune" print(package.loaded["perilune.paths"].lib)'))
    assert.equal("", result.err)
    assert.equal(prefix .. "/lib/perilune\n", result.out)
  end)

  it("still does so elsewhere, after a move", function()
    local moved = prefix .. "/moved here"
    local result = process.run(([[mkdir %s && cp -r %s/bin %s/lib %s/share %s/include %s && cd / &&
      %s/bin/perilune -e 'print(type(require "perilune"))']])
      :format(quote(moved), prefix, prefix, prefix, prefix, quote(moved), quote(moved)))
    process.remove(moved)
    assert.equal("table\n", result.out)
  end)

  it("gives plain luajit the same modules", function()
    if process.sanitized then return end
    local result = process.run(([[cd / && env -u PERILUNE_LIB LUA_PATH="%s/share/lua/5.1/?.lua;]] ..
      [[%s/share/lua/5.1/?/init.lua;;" luajit -e %s]]):format(prefix, prefix, quote [[
        require "perilune"
        local paths = require "perilune.paths"
        for _, field in ipairs { "lib", "header", "lua" } do
          print(io.open(paths[field]) ~= nil)
        end]]))
    assert.equal("", result.err)
    assert.equal("true\ntrue\ntrue\n", result.out)
  end)

  it("holds what an accelerator of a stranger includes", function()
    for _, name in ipairs { "perilune.h", "data.h", "io.h", "accelerator.h", "op.h", "base.h",
      "ops.def" } do
      assert.truthy(process.read(prefix .. "/include/perilune/" .. name), name)
    end
  end)

  it("is taken away whole, and nothing else is", function()
    process.write(prefix .. "/bin/other", "not ours")
    local result = process.run(("cmake -DPREFIX=%s -P cmake/uninstall.cmake"):format(quote(prefix)))
    assert.equal(0, result.code, result.err)
    local left = process.run(("cd %s && find . -not -type d -o -name perilune")
      :format(quote(prefix)))
    assert.equal("./bin/other\n", left.out)
    assert.equal(1, process.run(("cmake -DPREFIX=%s -P cmake/uninstall.cmake")
      :format(quote(prefix))).code)
  end)
end)
