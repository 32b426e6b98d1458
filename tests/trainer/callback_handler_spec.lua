local class = require "perilune.class"
local CallbackHandler = require "perilune.callback_handler"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local events = { "on_start", "on_step_end", "on_end" }

describe("CallbackHandler", function()
  local handler, calls

  before_each(function()
    handler, calls = CallbackHandler(events), {}
  end)

  local function note(text) calls[#calls + 1] = text end

  it("calls classes, instances and plain tables with a colon, in order", function()
    local Counter = class("Counter", TrainerCallback)
    function Counter:init() self.n = 0 end
    function Counter:on_start(trainer, a, b)
      self.n = self.n + 1
      note("class " .. self.n .. trainer .. a .. b)
    end
    local plain = { name = "plain" }
    function plain:on_start(trainer) note(self.name .. trainer) end
    handler:add_callbacks{ Counter, plain, Counter() }
    handler:call_event("on_start", "T", 1, 2)
    assert.are.same({ "class 1T12", "plainT", "class 1T12" }, calls)
  end)

  it("has no list for an event nobody listens to", function()
    handler:add_callback(TrainerCallback)
    handler:add_callback({ on_end = function() note "end" end })
    assert.is_nil(handler.hooks.on_start)
    assert.is_nil(handler.hooks.on_step_end)
    assert.are.equal(1, #handler.hooks.on_end)
  end)

  it("calls inherited hooks, and those defined later once rebuilt", function()
    local Base = class("Base", TrainerCallback)
    function Base.on_start() note "base" end
    local Derived = class("Derived", Base)
    handler:add_callback(Derived)
    handler:call_event("on_start", "T")
    function Derived.on_end() note "late" end
    handler:rebuild()
    handler:call_event("on_end", "T")
    assert.are.same({ "base", "late" }, calls)
  end)

  it("refuses misspelt hooks in a class, its super and a plain table", function()
    local Base = class("Base", TrainerCallback)
    function Base.on_step_ended() end
    local function attempt(callback)
      local ok, err = pcall(handler.add_callback, handler, callback)
      assert.is_false(ok)
      assert.are.equal("argument", err.kind)
      return err.message
    end
    assert.are.equal("Base defines unknown hook 'on_step_ended' (did you mean 'on_step_end'?)",
      attempt(Base))
    assert.truthy(attempt(class("Derived", Base)):find("^Derived defines unknown hook"))
    assert.truthy(attempt({ on_stert = print }):find("did you mean 'on_start'", 1, true))
    assert.truthy(attempt({ on_start = 3 }):find("must be a function, got a number", 1, true))
    assert.truthy(attempt("bar"):find("got 'bar'", 1, true))
    assert.are.equal(0, #handler.callbacks)
  end)

  it("knows which hook is running, nested ones too", function()
    handler:add_callback({ on_start = function()
      note(handler.running.event)
      handler:call_event("on_end", "T")
      note(handler.running.event)
    end, on_end = function() note(handler.running.event) end })
    handler:call_event("on_start", "T")
    assert.are.same({ "on_start", "on_end", "on_start" }, calls)
    assert.is_nil(handler.running)
  end)

  it("lets a callback remove itself while it is called", function()
    local once = {}
    function once:on_start() note "once"; handler:remove_callback(self) end
    handler:add_callbacks{ once, { on_start = function() note "other" end } }
    handler:call_event("on_start", "T")
    handler:call_event("on_start", "T")
    assert.are.same({ "once", "other", "other" }, calls)
    assert.is_false(handler:remove_callback(once))
  end)
end)
