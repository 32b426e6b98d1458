--- The callbacks of a trainer, in order of priority, and for each event the list of those that
-- define its hook. An event that nobody listens to has no list, so it costs one table read. Hooks
-- are called without pcall: the handler notes which one is running, and the run's error handler
-- reads it.

local check = require "perilune.check"
local class = require "perilune.class"
local errors = require "perilune.errors"
local suggest = require "perilune.suggest"

local CallbackHandler = class("CallbackHandler")

--- @param events the list of known event names
function CallbackHandler:init(events)
  self.events = events
  self.known = {}
  for _, event in ipairs(events) do self.known[event] = true end
  self.callbacks = {}
  self.hooks = {}
  self.running = nil
end

--- A callback's name in messages: its class, else its `name` field.
function CallbackHandler.name_of(callback)
  if class.is_instance(callback, class.Object) then return class.name_of(callback) end
  return type(callback.name) == "string" and callback.name or "callback"
end

-- What a callback itself, its class and the supers of that define, nearest first.
local function definitions(callback)
  local tables = { callback }
  local next_table = getmetatable(callback)
  while type(next_table) == "table" do
    tables[#tables + 1] = next_table
    next_table = rawget(next_table, "super")
  end
  return tables
end

-- Every on_* name a callback defines must be an event and a function.
local function check_hooks(self, callback)
  for _, defined in ipairs(definitions(callback)) do
    for _, key in ipairs(suggest.keys(defined)) do
      if key:sub(1, 3) == "on_" then
        if not self.known[key] then
          errors.raise("argument", ("%s defines unknown hook '%s'%s"):format(
            CallbackHandler.name_of(callback), key, suggest.hint(key, self.events)),
            { argument = "callbacks" })
        elseif type(rawget(defined, key)) ~= "function" then
          errors.raise("argument", ("hook '%s' of %s must be a function, got a %s"):format(
            key, CallbackHandler.name_of(callback), type(rawget(defined, key))),
            { argument = "callbacks" })
        end
      end
    end
  end
end

--- Attach a callback: an instance, a class (which is instantiated) or a plain table of functions.
-- @raise kind "argument" for an unknown on_* name, with "did you mean"
function CallbackHandler:add_callback(callback)
  if class.is_class(callback) then callback = callback() end
  if type(callback) ~= "table" then
    errors.raise("argument", ("a callback must be a class, an instance or a table of functions, "
      .. "got %s"):format(check.describe(callback)), { argument = "callbacks" })
  end
  check_hooks(self, callback)
  self.callbacks[#self.callbacks + 1] = callback
  self:rebuild()
  return callback
end

--- Attach callbacks in order.
function CallbackHandler:add_callbacks(callbacks)
  for _, callback in ipairs(callbacks) do self:add_callback(callback) end
end

-- The place of a callback in the list; `which` is the callback, its class or its name.
local function place_of(self, which)
  for i, attached in ipairs(self.callbacks) do
    if attached == which or getmetatable(attached) == which
      or CallbackHandler.name_of(attached) == which then
      return i
    end
  end
  local names = {}
  for i, attached in ipairs(self.callbacks) do names[i] = CallbackHandler.name_of(attached) end
  local name = type(which) == "string" and which or CallbackHandler.name_of(which)
  errors.raise("argument", ("no callback %s is attached%s"):format(name,
    suggest.hint(name, names)), { argument = "callback" })
end

--- Detach a callback; answers whether it was attached.
function CallbackHandler:remove_callback(callback)
  for i, attached in ipairs(self.callbacks) do
    if attached == callback then
      table.remove(self.callbacks, i)
      self:rebuild()
      return true
    end
  end
  return false
end

--- Detach a callback that must be attached.
-- @param which the callback, its class or its name
-- @return the callback
function CallbackHandler:remove(which)
  local callback = table.remove(self.callbacks, place_of(self, which))
  self:rebuild()
  return callback
end

--- Put a callback in the place of another; parameters as of `remove` and `add_callback`.
-- @return the new callback
function CallbackHandler:replace(which, callback)
  local place = place_of(self, which)
  callback = self:add_callback(callback)
  self.callbacks[#self.callbacks] = nil
  self.callbacks[place] = callback
  self:rebuild()
  return callback
end

--- Detach every callback.
function CallbackHandler:clear_callbacks()
  self.callbacks = {}
  self:rebuild()
end

-- Higher `priority` first (0 if a callback has none); equal ones in the order they were attached.
local function by_priority(callbacks)
  local places, ordered = {}, {}
  for i, callback in ipairs(callbacks) do places[callback], ordered[i] = i, callback end
  table.sort(ordered, function(a, b)
    local first, second = a.priority or 0, b.priority or 0
    if first ~= second then return first > second end
    return places[a] < places[b]
  end)
  return ordered
end

--- Look again at who defines what: after a change of callbacks, and when a run starts, since hooks
-- may have been defined meanwhile.
function CallbackHandler:rebuild()
  self.hooks = {}
  local ordered = by_priority(self.callbacks)
  for _, event in ipairs(self.events) do
    local list = {}
    for _, callback in ipairs(ordered) do
      local hook = callback[event]
      if hook then
        list[#list + 1] = { callback = callback, call = hook, event = event }
      end
    end
    if #list > 0 then self.hooks[event] = list end
  end
end

--- Call the hook of every callback that defines it, in order. An error stops the later ones.
-- @param event the name
-- @param trainer the first argument of the hook
-- @param a,b,c,d what else the event gives
function CallbackHandler:call_event(event, trainer, a, b, c, d)
  local list = self.hooks[event]
  if not list then return end
  local outer = self.running
  for i = 1, #list do
    local hook = list[i]
    self.running = hook
    hook.call(hook.callback, trainer, a, b, c, d)
  end
  self.running = outer
end

return CallbackHandler
