--- Runs the chunks of a session one by one; `local`s of a chunk's top level last to the next.
-- A chunk is compiled as a function with the earlier locals it names as upvalues, joined to the
-- very variables of the earlier chunks: assigning one changes what closures made before see, and
-- a second `local x` is a new variable, as in one long chunk.

local errors = require "perilune.errors"
local lexer = require "perilune.repl.lexer"
local pausing = require "perilune.pausing"

local session = {}

local Session = {}
Session.__index = Session

local chunk_name = "=stdin"
local KEEP = "__perilune_keep" -- the function that a chunk hands its locals to
local PASS = "__perilune_pass" -- returns its arguments

--- A new session without locals.
function session.new()
  return setmetatable({ variables = {} }, Session)
end

--- The source of an input taken as an expression, which may also be written "= x".
local function as_return(text)
  return "return " .. (text:match("^%s*=(.*)$") or text)
end

local function ends_early(source)
  local chunk, message = loadstring(source, chunk_name)
  return not chunk and message:find("near '<eof>'", 1, true) ~= nil
end

--- Whether more lines could complete the text.
function session.is_incomplete(text)
  if loadstring(as_return(text), chunk_name) then return false end
  return ends_early(text) or ends_early(as_return(text))
end

local function pass(...) return ... end

--- Turns an input into a chunk. An expression returns its values through a call: a tail call in it
-- would lose the line of an error.
-- @return the chunk and whether it ends in ";", or nil and the message
local function as_chunk(text)
  local source = as_return(text)
  if loadstring(source, chunk_name) then
    local found = lexer.scan(source)
    local silent = found.last == ";"
    local stop = silent and found.last_at - 1 or found.last_at + #found.last - 1
    return ("return %s(%s)"):format(PASS, source:sub(#"return " + 1, stop)), silent
  end
  local ok, message = loadstring(text, chunk_name)
  if not ok then return nil, message end
  return text, lexer.scan(text).last == ";"
end

--- Calls that hand over each new local: a closure over it, which assigns so that LuaJIT does not
-- take the variable for a constant.
local function keep_calls(names)
  local calls = {}
  for i, name in ipairs(names) do
    calls[i] = ("%s(%q, function() %s = %s return %s end)"):format(KEEP, name, name, name, name)
  end
  return table.concat(calls, " ")
end

--- The chunk with its hand-over at the end, or before the `return` that ends it.
local function with_keep(chunk, found)
  if #found.locals == 0 then return chunk end
  local calls = keep_calls(found.locals)
  if not found.return_at then return chunk .. "\n" .. calls end
  return chunk:sub(1, found.return_at - 1) .. calls .. " " .. chunk:sub(found.return_at)
end

local function join_upvalues(fn, variables)
  local i = 1
  while true do
    local name = debug.getupvalue(fn, i)
    if not name then return end
    if variables[name] then debug.upvaluejoin(fn, i, variables[name], 1) end
    i = i + 1
  end
end

--- Compiles a chunk against the locals of the session.
-- @return a function, or nil and the message; whether its results are to be shown
function Session:compile(text)
  local chunk, silent = as_chunk(text)
  if not chunk then return nil, silent end
  local found = lexer.scan(chunk)
  local visible = { KEEP, PASS }
  for name in pairs(self.variables) do
    if found.names[name] then visible[#visible + 1] = name end
  end
  local wrapper, trouble = loadstring(("local %s = ... return function(...) %s\nend"):format(
    table.concat(visible, ", "), with_keep(chunk, found)), chunk_name)
  if not wrapper then return nil, trouble end
  local fn = wrapper(function(name, variable) self.variables[name] = variable end, pass)
  join_upvalues(fn, self.variables)
  -- Compiled loops do not look at Ctrl-C; what is typed here must be stoppable.
  jit.off(fn, true)
  return fn, not silent
end

local function outcome(show, ok, ...)
  if not ok then return nil, (...) end
  if not show then return { n = 0 } end
  return { n = select("#", ...), ... }
end

--- Runs one input.
-- @return a list of the results to show, with their number n; or nil and what went wrong, an error
--   of `perilune.errors` or the compiler's sentence; or a trainer whose run Ctrl-C has paused
function Session:run(text)
  local fn, show = self:compile(text)
  if not fn then return nil, show end
  return pausing.start(function() return outcome(show, xpcall(fn, errors.handler)) end)
end

return session
