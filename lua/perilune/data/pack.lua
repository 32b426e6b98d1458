--- pack: values as bytes, on their way to a Lua state in another thread, and back. Plain data is
-- copied; tensors share their storage; what a module holds is asked of that module over there;
-- functions travel as bytecode with their upvalues, classes with their fields. Anything else is an
-- error that names the path to it. Order of writing is order of reading: objects are numbered as
-- they are met, and a later mention gives the number.

local ffi = require "ffi"
local util = require "jit.util"
local check = require "perilune.check"
local class = require "perilune.class"
local errors = require "perilune.errors"
local ops = require "perilune.ops"
local tensor = require "perilune.tensor"
local engine = require "perilune.engine"
local C = require "perilune.data.ffi"

local pack = {}

local positions_type = ffi.typeof "int64_t[?]"
local shared_out, handle_out = ffi.new "pl_shared *[1]", ffi.new "pl_tensor[1]"

local function address(pointer)
  return tonumber(ffi.cast("intptr_t", pointer))
end

-- ---- what modules hold ----

local standard = { "string", "table", "math", "io", "os", "coroutine", "debug", "bit", "jit",
  "ffi" }

local function add(names, value, module, key)
  local kind = type(value)
  if (kind == "table" or kind == "function") and not names[value] then
    names[value] = { module, key }
  end
end

-- Of Lua's globals only what every state has.
local function add_globals(names)
  for name, value in pairs(_G) do
    if type(value) == "function" and debug.getinfo(value, "S").what == "C" then
      add(names, value, "_G", name)
    end
  end
  for _, name in ipairs(standard) do add(names, package.loaded[name], name) end
end

-- value -> { module, key } for all modules loaded and, one level down, what their tables hold.
local function module_values()
  local names = {}
  add_globals(names)
  for module, value in pairs(package.loaded) do
    if module ~= "_G" then add(names, value, module) end
  end
  for module, value in pairs(package.loaded) do
    if module ~= "_G" and type(value) == "table" and not tensor.is_tensor(value) then
      for key, member in next, value do
        if type(key) == "string" then add(names, member, module, key) end
      end
    end
  end
  return names
end

-- ---- globals of a function, read off its bytecode ----

local opcode_mask, gget = 255, nil

-- Add the names to a list, those of functions inside it too.
local function globals_of(f, list)
  gget = gget or bit.band(util.funcbc(loadstring "return x", 1), opcode_mask)
  local about = util.funcinfo(f)
  for pc = 1, about.bytecodes - 1 do
    local instruction = util.funcbc(f, pc)
    if bit.band(instruction, opcode_mask) == gget then
      list[#list + 1] = util.funck(f, -1 - bit.rshift(instruction, 16))
    end
  end
  for k = -1, -about.gcconsts, -1 do
    local constant = util.funck(f, k)
    if type(constant) == "proto" then globals_of(constant, list) end
  end
  return list
end

-- ---- writing ----

local Writer = {}
Writer.__index = Writer

local function refuse(self, path, value, what)
  path = path:gsub("^%.loader%.", "")
  errors.raise("argument", ("%s cannot reach %s: it is %s; plain data, tensors, functions of these"
    .. " and what modules hold can"):format(path, self.goal, what or "a " .. type(value)))
end

function Writer:put(...)
  for i = 1, select("#", ...) do self.parts[#self.parts + 1] = (select(i, ...)) end
end

function Writer:string(s)
  self:put(#s, ":", s)
end

function Writer:remember(value)
  self.n = self.n + 1
  self.numbers[value] = self.n
end

local function key_path(path, key)
  if type(key) == "string" then return path .. "." .. key end
  return ("%s[%s]"):format(path, tostring(key))
end

local is_object = { table = true, ["function"] = true, cdata = true, userdata = true,
  thread = true }

function Writer:fields(value, path, skip)
  for key, item in next, value do
    if not (skip and skip(key, item)) then
      self:value(key, path)
      self:value(item, is_object[type(item)] and key_path(path, key) or path)
    end
  end
  self:put "."
end

function Writer:upvalues(f, path)
  local i = 1
  while true do
    local name, value = debug.getupvalue(f, i)
    if not name then break end
    local cell = debug.upvalueid(f, i)
    local known = self.cells[cell]
    if known then
      self:put("=", known, ";")
    else
      self.n_cells = self.n_cells + 1
      self.cells[cell] = self.n_cells
      self:put "+"
      self:value(value, ("%s upvalue '%s'"):format(path, name))
    end
    i = i + 1
  end
  self:put "."
end

-- The globals that a function reads and that not every state has.
function Writer:global_values(f, path)
  local env = getfenv(f)
  for _, name in ipairs(globals_of(f, {})) do
    local value = rawget(env, name)
    if value ~= nil and not self.globals[name] and _G[name] ~= nil then
      self.globals[name] = true
      local named = self.modules[value]
      if not (named and (named[1] == "_G" or named[1] == name)) then
        self:value(name)
        self:value(value, ("%s global '%s'"):format(path, name))
      end
    end
  end
  self:put "."
end

function Writer:functions(f, path)
  if self.data_only then refuse(self, path, f) end
  if debug.getinfo(f, "S").what == "C" then refuse(self, path, f, "a C function of no module") end
  self:remember(f)
  self:put "f"
  self:string(string.dump(f))
  self:upvalues(f, path)
  self:global_values(f, path)
end

function Writer:class(c, path)
  if self.data_only then refuse(self, path, c, "a class") end
  self:put "c"
  self:string(class.name_of(c))
  self:value(c.super, path .. ".super")
  self:remember(c)
  self:fields(c, path, function(key, item)
    return key == "name" and item == class.name_of(c) or key == "super"
      or key == "__index" and item == c or key:sub(1, 2) == "__" and rawget(c.super, key) == item
  end)
end

function Writer:tensor(t, path)
  if t.device ~= "cpu" then refuse(self, path, t, "a tensor on " .. t.device) end
  engine.check(C.pl_shared_new(t._h, shared_out))
  local shared = shared_out[0]
  self.held[#self.held + 1] = ffi.gc(shared, C.pl_shared_free)
  self:remember(t)
  self:put("t", ("%.17g"):format(address(shared)), ";")
end

function Writer:table(t, path)
  local meta = not check.is_plain_table(t) and getmetatable(t) or nil
  if meta ~= nil and (type(meta) ~= "table" or self.data_only) then
    refuse(self, path, t, "an object of its own kind")
  end
  self:remember(t)
  self:put "{"
  if meta == nil then self:put "n" else self:value(meta, path) end
  self:fields(t, path)
end

function Writer:cdata(value, path)
  if ffi.istype(positions_type, value) then
    self:put "i"
    self:string(ffi.string(value, ffi.sizeof(value)))
  elseif ffi.istype("pl_source *", value) then
    self.held[#self.held + 1] = value
    self:put("s", ("%.17g"):format(address(value)), ";")
  else
    refuse(self, path, value)
  end
end

function Writer:object(value, path)
  local number, named = self.numbers[value], self.modules[value]
  if number then
    self:put("r", number, ";")
  elseif named then
    self:put "m"
    self:string(named[1])
    self:string(named[2] or "")
  elseif type(value) == "function" then
    self:functions(value, path)
  elseif class.is_class(value) then
    self:class(value, path)
  elseif tensor.is_tensor(value) then
    self:tensor(value, path)
  else
    self:table(value, path)
  end
end

function Writer:value(value, path)
  local kind = type(value)
  if value == nil then self:put "n"
  elseif kind == "boolean" then self:put(value and "y" or "x")
  elseif kind == "number" then self:put("d", ("%.17g"):format(value), ";")
  elseif kind == "string" then
    self:put "'"
    self:string(value)
  elseif kind == "table" or kind == "function" then self:object(value, path)
  elseif kind == "cdata" then self:cdata(value, path)
  else refuse(self, path, value)
  end
end

local function write(writer, value, path)
  writer.parts, writer.numbers, writer.n, writer.cells, writer.n_cells = {}, {}, 0, {}, 0
  writer.held, writer.globals = {}, {}
  setmetatable(writer, Writer):value(value, path)
  return table.concat(writer.parts), writer.held
end

--- A value, functions and classes and all.
-- @param value anything
-- @param path how errors name it
-- @param goal where it goes, in errors
-- @return bytes, and what must live until they are read
function pack.whole(value, path, goal)
  return write({ modules = module_values(), goal = goal }, value, path)
end

--- Plain data and tensors; parameters and results as above.
function pack.data(value, path, goal)
  return write({ modules = {}, data_only = true, goal = goal or "" }, value, path or "")
end

-- ---- reading ----

local Reader = {}
Reader.__index = Reader

function Reader:char()
  self.at = self.at + 1
  return self.bytes:sub(self.at - 1, self.at - 1)
end

-- The text up to a mark.
function Reader:till(mark)
  local last = self.bytes:find(mark, self.at, true)
  local text = self.bytes:sub(self.at, last - 1)
  self.at = last + 1
  return text
end

function Reader:string()
  local size = tonumber(self:till ":")
  self.at = self.at + size
  return self.bytes:sub(self.at - size, self.at - 1)
end

function Reader:number() return tonumber(self:till ";") end

function Reader:remember(value)
  self.n = self.n + 1
  self.objects[self.n] = value
  return value
end

function Reader:fields(t)
  while self.bytes:sub(self.at, self.at) ~= "." do
    local key = self:value()
    rawset(t, key, self:value())
  end
  self.at = self.at + 1
  return t
end

function Reader:upvalues(f)
  local i = 1
  while true do
    local mark = self:char()
    if mark == "." then return f end
    if mark == "=" then
      local cell = self.cells[self:number()]
      debug.upvaluejoin(f, i, cell[1], cell[2])
    else
      self.cells[#self.cells + 1] = { f, i }
      debug.setupvalue(f, i, self:value())
    end
    i = i + 1
  end
end

local function open(reader)
  engine.check(C.pl_shared_open(ffi.cast("pl_shared *", reader:number()), handle_out))
  return reader:remember(ops.wrap(handle_out[0]))
end

local function read_table(reader)
  local t = reader:remember {}
  local meta = reader:value()
  return setmetatable(reader:fields(t), meta)
end

local function read_class(reader)
  local name = reader:string()
  return reader:fields(reader:remember(class(name, reader:value())))
end

local function read_member(reader)
  local module, key = reader:string(), reader:string()
  local value = module == "_G" and _G or require(module)
  if key ~= "" then value = value[key] end
  return value
end

local function read_function(reader)
  local f = reader:upvalues(reader:remember(loadstring(reader:string())))
  reader:fields(_G)
  return f
end

local function read_positions(reader)
  local bytes = reader:string()
  local array = positions_type(#bytes / 8)
  ffi.copy(array, bytes, #bytes)
  return array
end

local function read_source(reader)
  local source = ffi.cast("pl_source *", reader:number())
  C.pl_source_hold(source)
  return ffi.gc(source, C.pl_source_free)
end

local read = {
  n = function() return nil end,
  y = function() return true end,
  x = function() return false end,
  d = Reader.number,
  ["'"] = Reader.string,
  r = function(reader) return reader.objects[reader:number()] end,
  m = read_member,
  f = read_function,
  c = read_class,
  t = open,
  ["{"] = read_table,
  i = read_positions,
  s = read_source,
}

function Reader:value()
  return read[self:char()](self)
end

--- The value that bytes stand for.
function pack.read(bytes)
  local reader = { bytes = bytes, at = 1, objects = {}, n = 0, cells = {} }
  return setmetatable(reader, Reader):value()
end

return pack
