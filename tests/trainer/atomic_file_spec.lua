local ffi = require "ffi"
local lfs = require "lfs"
local atomic_file = require "perilune.atomic_file"

pcall(ffi.cdef, "int getpid(void);")

local function content(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

describe("atomic_file", function()
  local directory, path

  before_each(function()
    directory = os.tmpname()
    os.remove(directory)
    assert(lfs.mkdir(directory))
    path = directory .. "/out.json"
  end)

  after_each(function()
    os.execute("rm -rf '" .. directory .. "'")
  end)

  local function entries()
    local found = {}
    for name in lfs.dir(directory) do
      if name ~= "." and name ~= ".." then found[#found + 1] = name end
    end
    return found
  end

  it("writes a file and leaves nothing else", function()
    atomic_file.write(path, "one")
    atomic_file.write(path, "two")
    assert.are.equal("two", content(path))
    assert.are.same({ "out.json" }, entries())
  end)

  it("keeps the old file when the disk is full, and says so", function()
    atomic_file.write(path, "old")
    local temporary = ("%s.%d.tmp"):format(path, ffi.C.getpid())
    assert(lfs.link("/dev/full", temporary, true))
    local ok, err = pcall(atomic_file.write, path, ("x"):rep(100))
    assert.is_false(ok)
    assert.are.equal("io", err.kind)
    assert.are.equal("cannot write " .. path .. ": No space left on device", err.message)
    assert.are.equal("old", content(path))
    assert.are.same({ "out.json" }, entries())
  end)

  it("writes in place what is no regular file", function()
    atomic_file.write("/dev/null", "x")
    assert.are_not.equal("file", lfs.attributes("/dev/null", "mode"))
    local ok, err = pcall(atomic_file.write, "/dev/full", "x")
    assert.is_false(ok)
    assert.truthy(err.message:find("/dev/full: No space left on device", 1, true))
  end)

  it("sees a full disk where LuaJIT has compiled it", function()
    for _ = 1, 400 do atomic_file.write("/dev/null", "x") end
    for _ = 1, 5 do
      assert.is_false((pcall(atomic_file.write, "/dev/full", ("x"):rep(100))))
    end
  end)

  it("checks a place beforehand", function()
    atomic_file.check(path)
    assert.are.same({}, entries())
    for bad, reason in pairs{
      [directory] = "it is a directory",
      [directory .. "/absent/out.json"] = "No such file or directory",
    } do
      local ok, err = pcall(atomic_file.check, bad)
      assert.is_false(ok)
      assert.are.equal(("cannot write %s: %s"):format(bad, reason), err.message)
    end
  end)
end)
