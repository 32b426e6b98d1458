--- Calling modules: keeps a stack of the modules whose forward runs, so that an error from an op
-- says which layer it comes from. Only the outermost call is protected; the others cost a push
-- and a pop. The stack is absolute: each return sets the depth its caller had. While a profile is
-- taken it is told of every call.

local errors = require "perilune.errors"
local class = require "perilune.class"

local xpcall, error = xpcall, error

local calls = {}

local stack, depth = {}, 0
local observer

--- "Linear '3' of Sequential (784 -> 128)": the innermost running module, seen from the outermost.
local function layer_name()
  local outer, inner = stack[1], stack[depth]
  inner = rawget(inner, "stands_for") or inner
  local text = class.name_of(inner)
  if inner ~= outer then
    for path, module in outer:named_modules() do
      if module == inner then
        text = ("%s '%s' of %s"):format(text, path, class.name_of(outer))
      end
    end
  end
  local shapes = inner.shape_text and inner:shape_text()
  return shapes and ("%s (%s)"):format(text, shapes) or text
end

--- The module whose forward runs, in words; nil where none does.
function calls.current()
  if depth == 0 then return nil end
  local ok, name = pcall(layer_name)
  return ok and name or nil
end

local function on_error(e)
  e = errors.handler(e)
  if e.kind ~= "interrupted" and not e.layer then
    local ok, name = pcall(layer_name)
    if ok then
      e.layer = name
      e.message = name .. ": " .. e.message
    end
  end
  for i = 1, depth do stack[i] = nil end
  return e
end

local function finish(ok, ...)
  stack[1] = nil
  depth = 0
  if not ok then error((...), 0) end
  return ...
end

local function leave(level, ...)
  stack[level + 1] = nil
  depth = level
  return ...
end

-- Run a module's forward with the module on the stack.
local function call(module, ...)
  local level = depth
  depth = level + 1
  stack[level + 1] = module
  if level == 0 then return finish(xpcall(module.forward, on_error, module, ...)) end
  return leave(level, module:forward(...))
end

local function left(watching, level, ...)
  watching:leave(level)
  return ...
end

--- Tell a profile of every call from now on.
-- @param profile what has enter(kind, module) and leave(level); nil for none
function calls.observe(profile)
  observer = profile
end

--- What `module(...)` does.
function calls.call(module, ...)
  local watching = observer
  if not watching then return call(module, ...) end
  local level = watching:enter("module", rawget(module, "stands_for") or module)
  return left(watching, level, call(module, ...))
end

return calls
