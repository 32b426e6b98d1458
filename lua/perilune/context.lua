--- The thread's context: scopes, grad mode, anomaly detection. Every function that changes it
-- restores it, on errors too.

local ffi = require "ffi"
local class = require "perilune.class"
local engine = require "perilune.engine"
local errors = require "perilune.errors"

local C, check, state = engine.C, engine.check, engine.context

local context = {}

-- ---- scopes ----

--- A scope as an object, for loops that reuse one: enter, leave and close are separate because Lua
-- never tells an iterator that its loop was left.
local Scope = class "Scope"
context.Scope = Scope

local scope_id = ffi.new "int32_t[1]"

function Scope:init()
  check(C.pl_scope_new(scope_id))
  self.id = scope_id[0]
end

--- Tensors made from here on belong to this scope.
function Scope:enter()
  check(C.pl_scope_enter(self.id))
end

--- Stop that; the scope's tensors stay alive.
function Scope:leave()
  check(C.pl_scope_leave(self.id))
end

--- Leave if need be and free the scope's tensors, scopes entered inside included; it may be
-- entered again.
function Scope:close()
  check(C.pl_scope_close(self.id))
  if context.after_close then context.after_close() end
end

--- Close and give the scope back; the object is dead.
function Scope:free()
  C.pl_scope_free(self.id)
end

local spare = {}

--- Tensors in what a function returned, in tables too, move to the scope outside.
local function hand_over(tensor, outer, value, depth)
  if tensor.is_tensor(value) then
    tensor.adopt(value, outer)
  elseif type(value) == "table" and depth < 4 then
    for _, item in pairs(value) do hand_over(tensor, outer, item, depth + 1) end
  end
end

local function finish_scope(scope, ok, ...)
  scope:leave()
  if ok then
    local tensor = require "perilune.tensor"
    local values = { ... }
    for i = 1, select("#", ...) do hand_over(tensor, state.scope, values[i], 0) end
  end
  scope:close()
  spare[#spare + 1] = scope
  if not ok then error((...), 0) end
  return ...
end

--- Run f(...): every tensor made inside is freed at the end except what f returns.
-- @return what f returns
function context.scope(f, ...)
  local scope = table.remove(spare) or Scope()
  scope:enter()
  return finish_scope(scope, xpcall(f, errors.handler, ...))
end

--- The id of the innermost scope entered, 0 outside any.
function context.current()
  return state.scope
end

-- ---- modes ----

local function finish_grad(before, ok, ...)
  state.grad = before
  if not ok then error((...), 0) end
  return ...
end

--- Run f(...) without recording gradients.
function context.no_grad(f, ...)
  local before = state.grad
  state.grad = 0
  return finish_grad(before, xpcall(f, errors.handler, ...))
end

--- Run f(...) recording gradients.
function context.enable_grad(f, ...)
  local before = state.grad
  state.grad = 1
  return finish_grad(before, xpcall(f, errors.handler, ...))
end

--- Whether gradients are recorded now.
function context.grad_enabled()
  return state.grad ~= 0
end

--- Check every op's result from here on: the first with values that are not finite is an error that
-- names the op. Slow; for finding a fault.
function context.detect_anomaly(flag)
  state.anomaly = flag and 1 or 0
end

--- During a run the first signal belongs to the Trainer and ops fail at the second.
-- @param n how many pending signals make an op fail
function context.interrupt_ops_at(n)
  state.interrupts = n
end

return context
