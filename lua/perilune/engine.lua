--- The engine library: its public header, read as it is, is the binding.
-- Here statuses become errors and the engine's facts about the process become functions.

local ffi = require "ffi"
local errors = require "perilune.errors"
local paths = require "perilune.paths"

local engine = {}

--- Debian's stock LuaJIT reads `...` wrongly in hot loops of vararg functions that got more values
-- than are read (LuaJIT issue 864). Where that fault is, everything runs interpreted.
local function jit_misreads_varargs()
  local function first(...)
    local sum = 0
    for _ = 1, 200 do
      local value = ...
      sum = sum + value
    end
    return sum
  end
  for _ = 1, 3 do
    if first(42, 0) ~= 42 * 200 then return true end
  end
  return false
end

if jit.status() and jit_misreads_varargs() then
  jit.off()
  io.stderr:write("perilune: this LuaJIT compiles varargs wrongly, so its JIT stays off;",
    " installing luajit2 cures that\n")
end

local function read_header(path)
  local file, reason = io.open(path, "r")
  if not file then
    errors.raise("io", ("the engine's header cannot be read: %s"):format(reason))
  end
  local text = file:read "*a"
  file:close()
  return text
end

local library = (os.getenv "PERILUNE_LIB" or paths.lib) .. "/libperilune.so"

ffi.cdef(read_header(paths.header))
local found, C = pcall(ffi.load, library)
if not found then
  errors.raise("io", ("the engine does not load: %s (build it with make, or name its folder in"
    .. " PERILUNE_LIB)"):format(C))
end

engine.C = C

--- Read another public header of the engine, "data.h"; each once.
-- @return engine.C, which has its functions then
function engine.declare(name)
  ffi.cdef(read_header((paths.header:gsub("[^/]+$", name))))
  return C
end

engine.context = C.pl_context_get()
engine.version = ffi.string(C.pl_version())

local kinds = {}
for status = 0, tonumber(C.PL_EUNSUPPORTED) do
  kinds[status] = ffi.string(C.pl_status_name(status))
end
kinds[tonumber(C.PL_ESTALE)] = "argument"
kinds[tonumber(C.PL_EUNSUPPORTED)] = "dtype"

local function text_or_nil(pointer)
  local text = ffi.string(pointer)
  return text ~= "" and text or nil
end

--- Called before a failure is raised; set by perilune.queue.
function engine.before_raise() end

--- Raise the engine's last failure at the user's line.
-- @param status what an engine function answered, not PL_OK
-- @param message another sentence than the engine's, optional
function engine.raise(status, message)
  local _, exit_code
  if status == C.PL_EINTERRUPTED then _, exit_code = engine.take_interrupt() end
  message = message or ffi.string(C.pl_error())
  local fields = { op = text_or_nil(C.pl_error_op()), argument = text_or_nil(C.pl_error_argument()),
    exit_code = exit_code }
  engine.before_raise()
  errors.raise(kinds[status] or "user", message, fields)
end

--- Raise unless status is PL_OK.
function engine.check(status)
  if status ~= 0 then engine.raise(status) end
end

local device_id = ffi.new "int32_t[1]"

--- A device without a library may be that of an accelerator written in Lua.
local function define_device(name)
  local kind = type(name) == "string" and name:match "^[%w_]+"
  local accelerators = require "perilune.accelerators"
  if not kind or not accelerators:has(kind) then return end
  local c = accelerators:class_of(kind)
  if c:is_a(require "perilune.lua_accelerator") then c:define() end
end

--- Open a device by name ("cpu", "cuda:1"); opening it again is free.
-- @return its id
function engine.open(name)
  local status = C.pl_device_open(name, device_id)
  if status == C.PL_EDEVICE then
    define_device(name)
    status = C.pl_device_open(name, device_id)
  end
  engine.check(status)
  return device_id[0]
end

--- How many devices an accelerator's library finds on this machine.
-- @param name "cuda"
-- @raise where there is no such library
function engine.device_count(name)
  engine.check(C.pl_device_count(name, device_id))
  return device_id[0]
end

--- The name of an open device.
function engine.device_name(id)
  return ffi.string(C.pl_device_name(id))
end

--- Wait until a device has done everything that was launched on it, for timing; a failure that
-- nobody has seen yet is raised.
-- @param name the device; the CPU where none is given
function engine.synchronize(name)
  engine.check(C.pl_device_synchronize(engine.open(name or "cpu")))
end

--- What an open device says of itself: "CPU, avx512 kernels".
function engine.device_description(id)
  return ffi.string(C.pl_device_description(id))
end

local property = ffi.new "int64_t[1]"

--- A property of a device, a number ("threads", "level").
function engine.get(name, key)
  engine.check(C.pl_device_get(engine.open(name), key, property))
  return tonumber(property[0])
end

--- Set a property of a device.
function engine.set(name, key, value)
  engine.check(C.pl_device_set(engine.open(name), key, value))
end

--- The names of the accelerators found, sorted.
function engine.available()
  local names, out = {}, ffi.new "const char *[1]"
  while C.pl_device_available(#names, out) == 0 do names[#names + 1] = ffi.string(out[0]) end
  return names
end

local memory = ffi.new "pl_memory"

--- Memory of a device's pool: { in_use, cached, peak, allocations, limit }; bytes and a count.
function engine.memory(name)
  engine.check(C.pl_device_memory(engine.open(name or "cpu"), memory))
  return { in_use = tonumber(memory.in_use), cached = tonumber(memory.cached),
    peak = tonumber(memory.peak), allocations = tonumber(memory.allocations),
    limit = tonumber(memory.limit) }
end

--- Let tensors of a device have so many bytes together; beyond it ops raise "out_of_memory".
-- @param bytes a number, or nil for no limit but the device's own
-- @param name the device; "cpu" if not given
function engine.set_memory_limit(bytes, name)
  if bytes ~= nil and not (type(bytes) == "number" and bytes >= 1 and bytes < 2 ^ 53) then
    errors.raise("argument", "set_memory_limit: bytes must be a number above 0, or nil for none",
      { argument = "bytes" })
  end
  engine.check(C.pl_device_limit_memory(engine.open(name or "cpu"), bytes or 0))
end

--- Signals to stop that nobody has taken yet.
function engine.interrupted()
  return C.pl_interrupt_pending()
end

--- Take them: the next op does not fail because of them.
-- @return the name of the first: "Ctrl-C", "SIGTERM" or "SIGUSR1"
-- @return what the process exits with because of it
function engine.take_interrupt()
  local name, exit_code = ffi.string(C.pl_interrupt_name()), C.pl_interrupt_exit_code()
  C.pl_interrupt_clear()
  return name, exit_code
end

--- Monotonic seconds.
function engine.clock()
  return C.pl_clock()
end

--- Seconds since this process started.
function engine.process_seconds()
  return C.pl_process_seconds()
end

--- The largest resident set this process has had, bytes.
function engine.peak_rss()
  return tonumber(C.pl_process_peak_rss())
end

--- How many threads the CPU's kernels use.
function engine.threads()
  return engine.get("cpu", "threads")
end

function engine.set_threads(n)
  engine.set("cpu", "threads", n)
end

-- Not by engine.open: the registry of accelerators needs this file whole.
engine.check(C.pl_device_open("cpu", device_id))

return engine
