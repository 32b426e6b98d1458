-- The set-up script, with dpkg-query, apt-get and their kin replaced by stand-ins: which packages
-- it finds missing, how it gets them, and what it says where it may not.

package.path = "./tests/host/?.lua;" .. package.path
local process = require "process"

local build_packages = "gcc libc6-dev make cmake pkg-config libedit-dev " ..
  "libdeflate-dev lua-filesystem"
local luajit2 = " luajit2 libluajit2-5.1-2 libluajit2-5.1-dev"
local data = " dataset-fashion-mnist"

local stand_ins = {
  ["dpkg-query"] = [[
for p; do case " $INSTALLED " in *" $p "*) echo "installed:$p \c" ;; esac; done]],
  ["apt-cache"] = [[exit $UNKNOWN]],
  ["apt-get"] = [[echo "apt-get $*"; case $1 in install) exit $FAILS ;; esac]],
  id = [[echo $USER_ID]],
  sudo = [[test $SUDO = yes || exit 1; shift; echo "sudo: \c"; exec "$@"]],
}

describe("the set-up", function()
  local folder

  setup(function()
    folder = process.folder()
    for name, text in pairs(stand_ins) do
      process.write(folder .. "/" .. name, "#!/bin/sh\n" .. text .. "\n")
    end
    process.run(("chmod +x %s/*; ln -s $(command -v env) $(command -v sh) /bin/true %s")
      :format(folder, folder))
  end)

  teardown(function() process.remove(folder) end)

  --- Runs the set-up of a target on a machine where `installed` are installed.
  local function set_up(target, installed, machine)
    machine = machine or {}
    return process.run(("env -i PATH=%s INSTALLED='%s' USER_ID=%d SUDO=%s UNKNOWN=%d FAILS=%d " ..
      "/bin/sh cmake/setup.sh %s"):format(folder, installed, machine.user or 0,
      machine.sudo or "no", machine.unknown or 0, machine.fails or 0, target))
  end

  it("is silent when nothing is missing", function()
    assert.same({ code = 0, out = "", err = "" }, set_up("build", build_packages .. luajit2))
    assert.same({ code = 0, out = "", err = "" }, set_up("demo", build_packages .. luajit2 .. data))
  end)

  it("says what is missing and installs it, replacing nothing", function()
    local result = set_up("demo", build_packages .. luajit2)
    assert.equal(0, result.code)
    assert.equal("perilune needs these Debian packages: dataset-fashion-mnist\n" ..
      "apt-get install -y --no-remove --no-install-recommends dataset-fashion-mnist\n", result.out)
  end)

  it("takes luajit2 where no LuaJIT is", function()
    local out = set_up("build", build_packages).out
    assert.truthy(out:find("packages: luajit2 libluajit2-5.1-dev\n", 1, true))
  end)

  it("completes the luajit that is installed", function()
    local result = set_up("build", build_packages .. " luajit libluajit-5.1-2")
    assert.truthy(result.out:find("packages: libluajit-5.1-dev\n", 1, true))
    result = set_up("build", build_packages .. " luajit libluajit-5.1-2 libluajit-5.1-dev")
    assert.equal("", result.out)
  end)

  it("fetches the package lists only if they do not know a package", function()
    assert.falsy(set_up("demo", build_packages .. luajit2).out:find("apt-get update", 1, true))
    assert.truthy(set_up("demo", build_packages .. luajit2, { unknown = 1 }).out
      :find("apt-get update\napt-get install", 1, true))
  end)

  it("fetches them and tries once more where installing failed", function()
    local result = set_up("demo", build_packages .. luajit2, { fails = 1 })
    assert.not_equal(0, result.code)
    assert.equal(2, select(2, result.out:gsub("apt%-get install", "")))
    assert.equal(1, select(2, result.out:gsub("apt%-get update", "")))
  end)

  it("goes through sudo where that asks nothing", function()
    local result = set_up("demo", build_packages .. luajit2, { user = 1000, sudo = "yes" })
    assert.equal(0, result.code)
    assert.truthy(result.out:find("sudo: apt-get install", 1, true))
  end)

  it("else prints the command and stops", function()
    local result = set_up("demo", build_packages .. luajit2, { user = 1000 })
    assert.equal(1, result.code)
    assert.truthy(result.out:find("  sudo apt-get update && sudo apt-get install -y --no-remove " ..
      "--no-install-recommends dataset-fashion-mnist\n", 1, true))
    assert.falsy(result.out:find("\napt-get", 1, true))
  end)
end)
