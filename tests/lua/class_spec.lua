local class = require "perilune.class"

describe("class", function()
  local Animal = class("Animal")
  function Animal:init(sound) self.sound = sound end
  function Animal:speak() return self.sound end
  function Animal.__tostring(a) return "animal " .. a.sound end

  local Dog = class("Dog", Animal)
  function Dog:init(name) Animal.init(self, "woof"); self.called = name end

  it("constructs, inherits and calls super", function()
    local d = Dog("Rex")
    assert.are.equal("woof", d:speak())
    assert.are.equal("Rex", d.called)
    assert.are.equal("animal woof", tostring(d))
  end)

  it("sees methods added to a base later", function()
    local d = Dog("Rex")
    function Animal:late() return "late " .. self.sound end
    assert.are.equal("late woof", d:late())
  end)

  it("answers is_a for instances and classes", function()
    local d = Dog("Rex")
    assert.is_true(d:is_a(Animal))
    assert.is_true(Dog:is_a(Animal))
    assert.is_false(Animal("x"):is_a(Dog))
    assert.is_true(class.is_instance(d, Animal))
    assert.is_false(class.is_instance({}, Animal))
    assert.is_false(class.is_instance(Dog, Animal))
  end)

  it("names values", function()
    assert.are.equal("Dog", class.name_of(Dog("x")))
    assert.are.equal("Dog", class.name_of(Dog))
    assert.are.equal("number", class.name_of(1))
    assert.are.equal("class Dog", tostring(Dog))
  end)

  it("extends, and keeps no registry", function()
    local A = Animal:extend("Twin")
    local B = Animal:extend("Twin")
    assert.is_true(A ~= B)
    assert.is_true(A("m"):is_a(Animal))
    assert.is_false(A("m"):is_a(B))
  end)

  it("keeps an __index function of a base", function()
    local Base = class("Base")
    function Base.__index(_, key) return "dynamic " .. key end
    local Sub = class("Sub", Base)
    assert.are.equal("dynamic x", Sub().x)
  end)

  it("refuses a super that is no class", function()
    assert.has_error(function() class("X", {}) end)
    assert.has_error(function() class(Animal) end)
  end)
end)

describe("class with options", function()
  local Base = class("Base")
  Base.options = { { "size", type = "integer", required = true }, { "bias", true } }
  function Base:init(o)
    o = Base:check(o)
    self.size, self.bias = o.size, o.bias
  end

  it("passes init one checked table", function()
    local b = Base(3, { bias = false })
    assert.are.equal(3, b.size)
    assert.is_false(b.bias)
  end)

  it("checks the merged list when the subclass has only options", function()
    local Sub = class("Sub", Base)
    Sub.options = { { "scale", 2 } }
    local seen
    function Sub:init(o)
      seen = o
      Base.init(self, o)
    end
    local s = Sub { size = 5, scale = 4 }
    assert.are.equal(4, seen.scale)
    assert.are.equal(5, s.size)
    assert.is_true(s.bias)
  end)

  it("passes raw arguments to an init below every options list", function()
    local Mine = class("Mine", Base)
    function Mine:init(a, b)
      Base.init(self, { size = a })
      self.b = b
    end
    local m = Mine(7, "raw")
    assert.are.equal(7, m.size)
    assert.are.equal("raw", m.b)
  end)

  it("makes fields of the options of a class without init", function()
    local Plain = class("Plain")
    Plain.options = { { "every", 10 } }
    assert.are.equal(10, Plain().every)
    assert.are.equal(3, Plain { every = 3 }.every)
  end)

  it("refuses arguments of a class that declares none", function()
    local Empty = class("Empty")
    assert.has_error(function() Empty { x = 1 } end)
    assert.are.equal("Empty", class.name_of(Empty()))
  end)
end)
