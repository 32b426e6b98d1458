--- The one error value of Perilune: { kind, op, argument, message, traceback, where, exit_code }.
-- `where` is the first line outside lua/perilune/, so a message points at the user's script;
-- the traceback is the one of the first raise and survives wrapping and raising again.

local errors = {}

local Error = {}
Error.__index = Error

--- "script.lua:12: sentence"
function Error:__tostring()
  return self.where and (self.where .. ": " .. self.message) or self.message
end

function Error.__concat(a, b)
  return tostring(a) .. tostring(b)
end

local home = debug.getinfo(1, "S").source:match("^(.*[/\\])") or "@lua/perilune/"

local generated = "=perilune."     -- chunks made at run time, one per op

local kinds = {
  argument = true, shape = true, dtype = true, device = true, out_of_memory = true, io = true,
  format = true, interrupted = true, user = true,
}

--- Whether a chunk (`debug.getinfo(f, "S").source`) is one of Perilune's own files.
function errors.is_internal(source)
  return source:sub(1, #home) == home or source:sub(1, #generated) == generated
end

--- The user's line: the first Lua level outside lua/perilune/, `skip` such levels further up.
-- @return "file:line", or nil when the whole stack is ours
local function user_position(skip)
  local level = 2
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then return nil end
    if info.what ~= "C" and not errors.is_internal(info.source) then
      if skip == 0 then
        local file = info.source:match("^@(.*)") or info.short_src
        return ("%s:%d"):format(file, info.currentline)
      end
      skip = skip - 1
    end
    level = level + 1
  end
end

--- The user's line now, as errors name it.
-- @return "file:line", or nil
function errors.position()
  return user_position(0)
end

--- Make an error value without raising it.
-- @param kind argument shape dtype device out_of_memory io format interrupted user
-- @param message one sentence, without position
-- @param fields optional { op =, argument =, exit_code =, saved_state = a path,
--   level = how many more user levels to go up }
function errors.new(kind, message, fields)
  if not kinds[kind] then error("errors: unknown kind '" .. tostring(kind) .. "'", 2) end
  return setmetatable({
    kind = kind,
    message = message,
    op = fields and fields.op,
    argument = fields and fields.argument,
    exit_code = fields and fields.exit_code,
    saved_state = fields and fields.saved_state,
    where = user_position(fields and fields.level or 0),
    traceback = debug.traceback(message, 2),
  }, Error)
end

--- Raise an error at the user's line; parameters as in `errors.new`.
function errors.raise(kind, message, fields)
  error(errors.new(kind, message, fields), 0)
end

--- Whether a value is an error of ours.
function errors.is(e)
  return getmetatable(e) == Error
end

-- The last two folders of ours: "lua/perilune/" in the tree, "5.1/perilune/" installed.
local home_tail = home:match("[^/\\]+[/\\][^/\\]+[/\\]$")

--- Whether a position that Lua wrote is in a file of ours; Lua shortens long paths to "...end".
local function is_internal_position(where)
  return errors.is_internal("@" .. where)
    or (where:sub(1, 3) == "..." and where:find(home_tail, 1, true) ~= nil)
end

--- Turn a caught value into an error of ours; ours pass through with their first traceback.
-- @param e what pcall returned
-- @param traceback the traceback of the raise, when known
function errors.wrap(e, traceback)
  if errors.is(e) then return e end
  local where, message = nil, nil
  if type(e) == "string" then
    where, message = e:match("^([^\n]-:%d+): (.*)$")
    if where and is_internal_position(where) then where = user_position(0) end
  end
  message = message or tostring(e)
  return setmetatable({
    kind = message == "interrupted!" and "interrupted" or "user",
    message = message,
    where = where,
    traceback = traceback or debug.traceback(message, 2),
    value = e,
  }, Error)
end

--- Message handler for xpcall: wraps at the point of the raise, where the stack is still whole.
function errors.handler(e)
  if errors.is(e) then return e end
  if type(e) == "string" then e = e .. require("perilune.mistyped")(e, 2) end
  return errors.wrap(e, debug.traceback(tostring(e), 2))
end

return errors
