-- The forms of `devices`, which every accelerator has.
local pl = require "perilune"
local devices = require "perilune.accelerator.devices"
local CPUAccelerator = pl.accelerators:class_of("cpu")

local function message_of(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.are.equal("argument", err.kind)
  assert.are.equal("devices", err.argument)
  return err.message
end

describe("devices", function()
  it("in every form are a list of ids", function()
    local forms = {
      { "auto", { 0, 1, 2, 3 } }, { -1, { 0, 1, 2, 3 } }, { "-1", { 0, 1, 2, 3 } },
      { 1, { 0 } }, { 3, { 0, 1, 2 } }, { "3", { 0, 1, 2 } }, { " 2 ", { 0, 1 } },
      { "3,", { 3 } }, { "0,", { 0 } }, { "0,1", { 0, 1 } }, { "2, 0,", { 2, 0 } },
      { { 0, 1 }, { 0, 1 } }, { { 3 }, { 3 } }, { { 2, 1 }, { 2, 1 } },
    }
    for _, form in ipairs(forms) do
      assert.are.same(form[2], devices.parse("xpu", form[1], 4), tostring(form[1]))
    end
  end)

  it("that do not exist are refused with those that do", function()
    local there = "; there are 2 xpu devices, 0, 1"
    local wrong = {
      [5] = "devices = 5: 5 are asked for",
      ["3"] = 'devices = "3": 3 are asked for',
      ["3,"] = 'devices = "3,": there is no xpu device 3',
      [0] = "devices = 0: at least one device is needed",
      ["0"] = 'devices = "0": at least one device is needed',
      [-2] = "devices = -2: at least one device is needed",
      ["0,0"] = 'devices = "0,0": device 0 is named twice',
    }
    for value, reason in pairs(wrong) do
      assert.are.equal(reason .. there, message_of(devices.parse, "xpu", value, 2))
    end
    assert.are.equal("devices = { 0, 2 }: there is no xpu device 2" .. there,
      message_of(devices.parse, "xpu", { 0, 2 }, 2))
    assert.are.equal("devices = { 1, 1 }: device 1 is named twice" .. there,
      message_of(devices.parse, "xpu", { 1, 1 }, 2))
    assert.are.equal("devices = {}: no device is named" .. there,
      message_of(devices.parse, "xpu", {}, 2))
    assert.are.equal("devices = 1: 1 are asked for; there is no xpu device",
      message_of(devices.parse, "xpu", 1, 0))
  end)

  it("of a wrong type are refused with the forms there are", function()
    for _, value in ipairs{ "", ",", "abc", "0,x", "1.5", "0,,1", 1.5, 0 / 0, math.huge, true,
      print, pl.ones(2), CPUAccelerator } do
      local message = message_of(devices.parse, "xpu", value, 2)
      assert.truthy(message:find('expected "auto", -1, a number of devices, or ids', 1, true)
        or message:find("at least one", 1, true), message)
      assert.truthy(message:find("there are 2 xpu devices, 0, 1", 1, true), message)
    end
    for _, list in ipairs{ { "0" }, { 0.5 }, { true }, { -1 }, { 0, nil, 1 }, { first = 0 } } do
      message_of(devices.parse, "xpu", list, 2)
    end
  end)

  it("of the CPU number processes", function()
    assert.are.same({ 0 }, CPUAccelerator:parse_devices("auto"))
    assert.are.same({ 0 }, CPUAccelerator:parse_devices(-1))
    assert.are.same({ 0, 1, 2, 3 }, CPUAccelerator:parse_devices(4))
    assert.are.same({ "cpu", "cpu" },
      CPUAccelerator:get_parallel_devices(CPUAccelerator:parse_devices("0,1")))
    message_of(CPUAccelerator.parse_devices, CPUAccelerator, 0)
  end)

  it("have one name each", function()
    assert.are.equal("null:0", pl.ones(1):to("null").device)
    assert.are.equal("null:0", pl.ones(1):to("null:0").device)
    assert.are.equal("cpu", pl.ones(1):to("cpu:0").device)
    local both = pl.ones(1):to("null") + pl.ones(1):to("null:0")
    assert.are.equal("null:0", both.device)
  end)
end)
