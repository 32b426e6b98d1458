--- Ops whose forward and gradient are written in Lua.
--
--     local Cube = class("Cube", pl.Function)
--     function Cube:forward(ctx, x) ctx:save(x) return x * x * x end
--     function Cube:backward(ctx, grad) local x = ctx:saved() return grad * x * x * 3 end
--     local y = Cube()(x)
--
-- forward runs without recording; the node keeps what ctx:save was given, and other values as plain
-- fields of ctx. backward returns one gradient per input, nil where there is none.

local ffi = require "ffi"
local class = require "perilune.class"
local context = require "perilune.context"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local tensor = require "perilune.tensor"

local C = engine.C
local Function = class "Function"

local MAX = 16
local handles_in, handles_out = ffi.new("double[?]", MAX), ffi.new("double[?]", MAX)
local handles_saved = ffi.new("double[?]", MAX)
local freed = ffi.new "int32_t[64]"

-- ticket -> { self, ctx }: the engine says which tickets' nodes are gone
local waiting, last_ticket = {}, 0

local function drop_freed()
  repeat
    local n = C.pl_node_tickets(freed, 64)
    for i = 0, n - 1 do waiting[freed[i]] = nil end
  until n < 64
end

local Context = {}
Context.__index = Context

--- Keep tensors that the gradient needs.
function Context:save(...)
  self.kept = { ... }
end

--- The tensors kept, in order; in the backward pass only.
function Context:saved()
  return unpack(self.restored)
end

local function fill_handles(label, buffer, list, n)
  if n > MAX then
    errors.raise("argument", ("%s: a function has at most %d inputs, outputs and saved tensors")
      :format(label, MAX))
  end
  for i = 1, n do
    local value = list[i]
    if value ~= nil and not tensor.is_tensor(value) then
      errors.raise("argument", ("%s: value %d must be a tensor, got %s"):format(label, i,
        type(value)))
    end
    buffer[i - 1] = value and value._h or 0
  end
end

local function any_requires_grad(inputs, n)
  for i = 1, n do
    if tensor.is_tensor(inputs[i]) and inputs[i].requires_grad then return true end
  end
  return false
end

--- What forward returned may be an input itself: the node's outputs must be tensors of their own.
local function as_outputs(name, outputs, inputs, n_in)
  for j = 1, #outputs do
    if not tensor.is_tensor(outputs[j]) then
      errors.raise("argument", ("%s: forward must return tensors, got %s"):format(name,
        type(outputs[j])))
    end
    for i = 1, n_in do
      if outputs[j] == inputs[i] then outputs[j] = outputs[j]:detach() end
    end
  end
  return outputs
end

--- False in a class whose results may differ from run to run: deterministic trainers refuse it.
Function.deterministic = true

-- Who wants the same bits hears of a function that cannot promise them.
local function check_deterministic(self)
  local name = class.name_of(self)
  local text = ("%s says that its results may differ from run to run"):format(name)
  if engine.context.deterministic > 1 then
    errors.raise("user", text .. ", and deterministic results were asked for; deterministic = "
      .. '"warn" lets it run', { op = name })
  elseif not self.was_reported then
    getmetatable(self).was_reported = true
    io.stderr:write("perilune: ", text, "\n")
  end
end

--- Call the function on tensors (and other values, which get no gradient).
function Function:__call(...)
  if engine.context.deterministic ~= 0 and not self.deterministic then check_deterministic(self) end
  local inputs, n_in = { ... }, select("#", ...)
  local ctx = setmetatable({ kept = {} }, Context)
  local name = class.name_of(self)
  local outputs = { context.no_grad(self.forward, self, ctx, ...) }
  if not (context.grad_enabled() and any_requires_grad(inputs, n_in)) then
    return unpack(outputs)
  end
  as_outputs(name, outputs, inputs, n_in)
  local tensors = {}
  for i = 1, n_in do tensors[i] = tensor.is_tensor(inputs[i]) and inputs[i] or nil end
  fill_handles(name, handles_in, tensors, n_in)
  fill_handles(name, handles_out, outputs, #outputs)
  fill_handles(name, handles_saved, ctx.kept, #ctx.kept)
  drop_freed()
  last_ticket = last_ticket % 2 ^ 30 + 1
  engine.check(C.pl_node_custom(handles_in, n_in, handles_out, #outputs, handles_saved, #ctx.kept,
    last_ticket))
  ctx.kept = nil
  waiting[last_ticket] = { self = self, ctx = ctx, n_in = n_in }
  return unpack(outputs)
end

--- Compute the outputs; overridden.
function Function:forward()
  errors.raise("user", class.name_of(self) .. " defines no forward(ctx, ...)")
end

--- Compute the gradients of the inputs; overridden.
function Function:backward()
  errors.raise("user", class.name_of(self) .. " defines no backward(ctx, ...)")
end

local function wrap_all(handles, n)
  local list = {}
  for i = 1, n do
    local handle = handles[i - 1]
    list[i] = handle ~= 0 and tensor.wrap(handle) or nil
  end
  return list
end

--- Run the gradient of the node that a backward pass stopped at; called by perilune.backward.
-- @return a status
function Function.run_backward(pass, work)
  local entry = waiting[work.ticket]
  local ctx, n_in = entry.ctx, entry.n_in
  local n_out = work.n_out
  ctx.restored = wrap_all(work.saved, work.n_saved)
  ctx.needs_input_grad = {}
  for i = 1, n_in do ctx.needs_input_grad[i] = work.needs[i - 1] ~= 0 end
  local grads = wrap_all(work.grads, n_out)
  local results = { context.autocast(false, entry.self.backward, entry.self, ctx,
    unpack(grads, 1, n_out)) }
  ctx.restored = nil
  fill_handles(class.name_of(entry.self) .. ":backward", handles_out, results, n_in)
  return C.pl_backward_feed(pass, handles_out, n_in)
end

--- How many nodes written in Lua are alive; for tests.
function Function.count_waiting()
  drop_freed()
  local n = 0
  for _ in pairs(waiting) do n = n + 1 end
  return n
end

context.after_close = drop_freed

return Function
