--- The thread's context: scopes, grad mode, autocast, anomaly detection. Every function that
-- changes it restores it, on errors too.

local ffi = require "ffi"
local checks = require "perilune.check"
local class = require "perilune.class"
local engine = require "perilune.engine"
local errors = require "perilune.errors"

local C, check, state = engine.C, engine.check, engine.context

local context = {}

-- For those who know `with torch.no_grad():`; modules may be called too.
local function need_function(name, f)
  if type(f) == "function" or checks.is_callable(f) then return end
  errors.raise("argument", ("%s: write pl.%s(f, ...), which runs f(...); got %s"):format(name, name,
    checks.describe(f)), { argument = "f" })
end

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
  need_function("scope", f)
  local scope = table.remove(spare) or Scope()
  scope:enter()
  return finish_scope(scope, xpcall(f, errors.handler, ...))
end

--- The id of the innermost scope entered, 0 outside any.
function context.current()
  return state.scope
end

-- ---- modes ----

local function finish_mode(name, before, ok, ...)
  state[name] = before
  if not ok then error((...), 0) end
  return ...
end

--- Run f(...) with a field of the engine's context set to value.
local function with_mode(name, value, f, ...)
  local before = state[name]
  state[name] = value
  return finish_mode(name, before, xpcall(f, errors.handler, ...))
end

--- Run f(...) without recording gradients.
function context.no_grad(f, ...)
  need_function("no_grad", f)
  return with_mode("grad", 0, f, ...)
end

--- Run f(...) recording gradients.
function context.enable_grad(f, ...)
  need_function("enable_grad", f)
  return with_mode("grad", 1, f, ...)
end

local half_types = { bf16 = C.PL_BF16, f16 = C.PL_F16 }

--- Run f(...) with autocast: products, convolutions and recurrent layers compute in the half type,
-- losses, sums, softmax, exp, log and pow in f32, other ops in the dtypes they are given. Weights
-- stay f32 and get f32 gradients; their half values are made once per update. Backward belongs
-- outside; inside it computes in the dtypes of the forward pass all the same.
--   pl.autocast(f, ...)          in bf16
--   pl.autocast("f16", f, ...)   in f16; false: f runs without autocast
-- @param dtype "bf16", "f16" or false; may be left out
-- @return what f returns
-- @raise argument
function context.autocast(dtype, f, ...)
  if type(dtype) == "string" or dtype == false then
    local id = dtype and half_types[dtype] or 0
    if dtype and id == 0 then
      errors.raise("argument", ("autocast: '%s' is no half type; use bf16 or f16"):format(dtype),
        { argument = "dtype" })
    end
    return with_mode("autocast", id, f, ...)
  end
  return with_mode("autocast", C.PL_BF16, dtype, f, ...)
end

--- The half type autocast computes in now, nil where it is off.
function context.autocast_dtype()
  for name, id in pairs(half_types) do
    if state.autocast == id then return name end
  end
end

--- Whether gradients are recorded now.
function context.grad_enabled()
  return state.grad ~= 0
end

--- Check every op's result from here on: the first with values that are not finite is an error that
-- names the op, and for a gradient the line that called its op. Slow; for finding a fault.
function context.detect_anomaly(flag)
  state.anomaly = flag and 1 or 0
end

local modes = { [false] = 0, warn = 1, [true] = 2 }

--- What happens to kernels and functions which declare that their results may differ from run to
-- run: true makes them errors, "warn" says so once for each op, false lets them run.
function context.use_deterministic_algorithms(mode)
  if not modes[mode] then
    errors.raise("argument", ("use_deterministic_algorithms takes true, false or \"warn\", got %s")
      :format(tostring(mode)), { argument = "mode" })
  end
  state.deterministic = modes[mode]
end

-- ---- devices ----

--- Where tensors made from nothing (pl.zeros, pl.tensor, pl.rand) live from here on.
-- @param name "cpu", "cuda:1"
function context.set_default_device(name)
  state.device = engine.open(name)
end

--- The name of the device where tensors made from nothing live.
function context.get_default_device()
  return engine.device_name(state.device)
end

-- ---- interrupts ----

--- During a run the first signal belongs to the Trainer and ops fail at the second.
-- @param n how many pending signals make an op fail
function context.interrupt_ops_at(n)
  state.interrupts = n
end

return context
