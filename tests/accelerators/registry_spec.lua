-- pl.accelerators: registering, finding, forgetting; and what the same registry does for the
-- strategies and precisions.
local pl = require "perilune"
local class, accelerators, Accelerator = pl.class, pl.accelerators, pl.Accelerator

local function error_of(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err
end

local function stranger(name)
  local Stranger = class("Stranger", Accelerator)
  function Stranger:name() return name end
  function Stranger:init(options) self.options = options end
  return Stranger
end

local function registered(name, value, options)
  accelerators:register(name, value, options)
  finally(function() accelerators:remove(name) end)
end

describe("The registry of accelerators", function()
  it("makes an instance of a name, with the options given there", function()
    local Stranger = stranger("strange")
    registered("strange", Stranger, { init = { level = 3 } })
    local one, other = accelerators:get("strange"), accelerators:get("strange")
    assert.are_not.equal(one, other)
    assert.is_true(one:is_a(Stranger))
    assert.are.same({ level = 3 }, one.options)
    assert.are.equal("strange", Stranger:name())
    assert.are.equal("strange", class("Stranger2", Stranger):name())
    assert.are.equal("Stranger", class.name_of(Stranger))
    assert.are.equal("Stranger", class.name_of(one))
  end)

  it("calls a function for the class once, when it is asked for", function()
    local calls = 0
    registered("late", function()
      calls = calls + 1
      return stranger("late")
    end)
    assert.are.equal(0, calls)
    accelerators:get("late")
    accelerators:get("late")
    assert.are.equal(1, calls)
  end)

  it("keeps a name unless override says otherwise", function()
    registered("taken", stranger("taken"))
    local err = error_of(accelerators.register, accelerators, "taken", stranger("taken"))
    assert.are.equal("accelerators:register: 'taken' is taken; override = true replaces it",
      err.message)
    local Second = stranger("taken")
    accelerators:register("taken", Second, { override = true })
    assert.are.equal(Second, accelerators:class_of("taken"))
  end)

  it("refuses what is no accelerator, no name or a word of the Trainer's", function()
    for _, value in ipairs{ 3, {}, pl.Trainer, "cpu" } do
      local err = error_of(accelerators.register, accelerators, "wrong", value)
      assert.truthy(err.message:find("expected a class that extends Accelerator", 1, true),
        err.message)
    end
    for _, name in ipairs{ 3, true, "auto", "gpu" } do
      error_of(accelerators.register, accelerators, name, stranger("x"))
    end
    assert.is_false(accelerators:has("wrong"))
    registered("liar", function() return "a string" end)
    assert.truthy(error_of(accelerators.get, accelerators, "liar").message:find("got 'a string'"))
    local err = error_of(accelerators.register, accelerators, "x", stranger("x"), { overide = 1 })
    assert.truthy(err.message:find("did you mean 'override'", 1, true), err.message)
  end)

  it("lists names in order, with descriptions when printed", function()
    registered("a_stranger", stranger("a_stranger"), { description = "from afar" })
    local names = accelerators:available_accelerators()
    assert.are.equal("a_stranger", names[1])
    local sorted = { unpack(names) }
    table.sort(sorted)
    assert.are.same(sorted, { unpack(names) })
    assert.truthy(tostring(names):find("a_stranger +from afar\n"), tostring(names))
    assert.truthy(tostring(names):find("\ncpu +the processor's cores"), tostring(names))
    assert.truthy(tostring(accelerators):find("^accelerators: a_stranger, cpu"))
  end)

  it("forgets what was found as well, until it is registered again", function()
    local Null = accelerators:class_of("null")
    accelerators:remove("null")
    finally(function() accelerators:register("null", Null, { override = true }) end)
    assert.is_false(accelerators:has("null"))
    assert.are.equal("argument", error_of(accelerators.get, accelerators, "null").kind)
    error_of(accelerators.remove, accelerators, "null")
  end)

  it("asks for a module of the name's", function()
    package.preload.perilune_accelerator_moon = function() return stranger("moon") end
    finally(function()
      package.preload.perilune_accelerator_moon = nil
      package.loaded.perilune_accelerator_moon = nil
      accelerators:remove("moon")
    end)
    assert.are.equal("moon", accelerators:get("moon"):name())
  end)

  it("says what a module did wrong", function()
    package.preload.perilune_accelerator_mars = function() return {} end
    finally(function() package.preload.perilune_accelerator_mars = nil end)
    assert.are.equal("perilune_accelerator_mars: must return a class that extends pl.Accelerator",
      error_of(accelerators.get, accelerators, "mars").message)
  end)

  it("never calls hardware that people know unknown", function()
    for name, needs in pairs{ mps = "Metal", hpu = "Gaudi", ipu = "Graphcore", rocm = "AMD" } do
      local err = error_of(accelerators.get, accelerators, name)
      assert.are.equal("device", err.kind)
      assert.truthy(err.message:find(needs, 1, true), err.message)
      assert.truthy(err.message:find("PERILUNE_ACCELERATORS", 1, true), err.message)
      assert.truthy(err.message:find("here there are cpu, luna, null", 1, true), err.message)
    end
  end)

  it("says what a misspelt name was meant to be", function()
    for name, meant in pairs{ cpi = "cpu", nul = "null", ["tpu "] = "tpu", aut = "auto" } do
      local err = error_of(accelerators.get, accelerators, name)
      assert.truthy(err.message:find(("did you mean '%s'?"):format(meant), 1, true), err.message)
    end
  end)
end)

describe("The registries of strategies and precisions", function()
  it("are of the same kind", function()
    assert.are.same({ "single_device" }, { unpack(pl.strategies:available_strategies()) })
    assert.truthy(tostring(pl.precisions:available_precisions()):find("32 +%S"))
    local Third = class("Third", pl.Precision)
    pl.precisions:register("3", Third)
    finally(function() pl.precisions:remove("3") end)
    assert.is_true(pl.precisions:get(3):is_a(Third))
    assert.is_true(pl.precisions:get("64-true"):is_a(pl.precisions:class_of("64")))
    local err = error_of(pl.strategies.get, pl.strategies, "single_devise")
    assert.truthy(err.message:find("did you mean 'single_device'", 1, true), err.message)
  end)
end)
