-- Accelerators that nobody registers: found by their files, in the folders that
-- PERILUNE_ACCELERATORS names and in an installed tree.

package.path = "./tests/host/?.lua;" .. package.path
local process = require "process"
local quote = process.quote

local file = [[
local pl = require "perilune"
local Moon = pl.class("Moon", pl.Accelerator)
Moon.description = "%s"
function Moon:name() return "%s" end
function Moon:is_available() return true end
function Moon:auto_device_count() return 1 end
function Moon:get_parallel_devices() return { "cpu" } end
function Moon:setup_device() end
return Moon
]]

local list = [[print(require("perilune").accelerators:available_accelerators())]]
local build = [[local pl = require "perilune"
  local trainer = pl.Trainer{ model = pl.nn.Linear(2, 1), accelerator = os.getenv "NAME",
    callbacks = {} }
  print(trainer.device, trainer.strategy.accelerator)]]

describe("An accelerator's file", function()
  local folder

  before_each(function() folder = process.folder() end)
  after_each(function() process.remove(folder) end)

  local function place(name, text)
    assert.equal(0, process.run("mkdir -p " .. quote(folder .. "/" .. name)).code)
    process.write(folder .. "/" .. name .. "/accelerator.lua", text)
  end

  local function perilune(path, code, name)
    return process.run(("NAME=%s PERILUNE_ACCELERATORS=%s %s -e %s"):format(name or "",
      quote(path), process.perilune, quote(code)))
  end

  local function copy_library(to)
    return process.run(("cp %s/libperilune_null.so %s"):format(process.build, quote(to)))
  end

  it("is found in a device's own folder and in one that holds several", function()
    place("moon", file:format("by name", "moon"))
    place("sun", file:format("by name", "sun"))
    local result = perilune(folder .. "/moon", list)
    assert.equal("", result.err)
    assert.truthy(result.out:find("moon +by name\n"), result.out)
    assert.falsy(result.out:find("sun", 1, true))
    result = perilune(folder, list)
    assert.truthy(result.out:find("moon +by name\nnull .-sun +by name\n"), result.out)
    assert.equal("cpu\tMoon\n", perilune(folder, build, "moon").out)
    assert.equal("cpu\tCPUAccelerator\n", perilune(folder, build, "auto").out)
  end)

  it("in a folder named first goes before ours, and a script's class before both", function()
    place("null", file:format("another", "null"))
    assert.truthy(perilune(folder, list).out:find("null +another\n"))
    local result = perilune(folder, [[local pl = require "perilune"
      local Mine = pl.class("Mine", pl.Accelerator)
      pl.accelerators:register("null", Mine)
      print(pl.accelerators:available_accelerators(), pl.accelerators:class_of("null"))]])
    assert.equal("", result.err)
    assert.truthy(result.out:find("class Mine", 1, true), result.out)
    assert.falsy(result.out:find("another", 1, true), result.out)
  end)

  it("that fails is said once; the others work, and asking for it gives its error", function()
    place("moon", "error('no atmosphere')")
    place("mars", "return 3")
    local result = perilune(folder, build, "auto")
    assert.equal(0, result.code)
    assert.equal("cpu\tCPUAccelerator\n", result.out)
    assert.truthy(result.err:find("accelerator 'moon' is left out: .*no atmosphere\n"), result.err)
    assert.truthy(result.err:find("mars/accelerator.lua: must return a class that extends "
      .. "pl.Accelerator\n", 1, true), result.err)
    result = perilune(folder, build, "moon")
    assert.equal(1, result.code)
    assert.truthy(result.err:find("\nperilune: [^\n]+no atmosphere\n"), result.err)
  end)

  it("need not be there where there is a library", function()
    if process.sanitized then return end
    copy_library(folder .. "/libperilune_venus.so")
    assert.equal(0, process.run("mkdir " .. quote(folder .. "/jupiter")).code)
    copy_library(folder .. "/jupiter/libperilune_jupiter.so")
    local result = perilune(folder, list)
    assert.truthy(result.out:find("jupiter +a library without accelerator.lua\n"), result.out)
    assert.truthy(result.out:find("venus +a library without accelerator.lua\n"), result.out)
    assert.equal("jupiter:0\tjupiter\n", perilune(folder, build, "jupiter").out)
    assert.equal("venus:0\tvenus\n", perilune(folder, build, "venus").out)
  end)

  it("on package.path is found by its name", function()
    process.write(folder .. "/perilune_accelerator_moon.lua", file:format("module", "moon"))
    place("accelerators/sun", file:format("folder", "sun"))
    for name in ("moon sun"):gmatch("%S+") do
      local result = process.run(("NAME=%s LUA_PATH=%s %s -e %s"):format(name,
        quote(folder .. "/?.lua;;"), process.perilune, quote(build)))
      assert.equal("", result.err)
      assert.equal("cpu\tMoon\n", result.out)
    end
  end)

  it("is installed with its device", function()
    local result = process.run(("cmake --install %s --prefix %s && cd / && env -u PERILUNE_LIB "
      .. "%s/bin/perilune -e %s"):format(quote(process.build), quote(folder), folder, quote(list)))
    assert.truthy(result.out:find("cpu +the processor's cores\n"
      .. "luna +kernels in Lua.-\nnull +shapes"), result.out)
    result = process.run(("cd / && env -u PERILUNE_LIB %s/bin/perilune -e %s"):format(folder,
      quote [[print(require("perilune").ones(2, { device = "luna:1" }):add(2):sum():item())]]))
    assert.equal("6\n", result.out)
    assert.truthy(process.read(folder .. "/lib/perilune/accelerators/cpu/accelerator.lua"))
    assert.falsy(process.read(folder .. "/lib/perilune/accelerators/cpu/cpu.c"))
  end)
end)

describe("An engine without the CPU's library", function()
  it("says so in one sentence", function()
    if process.sanitized then return pending("plain luajit cannot load a sanitized engine") end
    local folder = process.folder()
    local result = process.run(("cp %s/libperilune.so %s && PERILUNE_ACCELERATORS= PERILUNE_LIB=%s"
      .. " LUA_PATH='./lua/?.lua;./lua/?/init.lua;;' luajit -e 'require [[perilune]]'"):format(
      quote(process.build), folder, folder))
    process.remove(folder)
    assert.equal(1, result.code)
    assert.truthy(result.err:find("there is no accelerator 'cpu'", 1, true), result.err)
    assert.falsy(result.err:find("loop or previous error", 1, true), result.err)
  end)
end)
