--- A profile: how long ops, modules and phases took. The engine times ops (engine/profile.c); spans
-- (modules that are called, phases of a Trainer, your own) are timed here, and self times leave out
-- the spans inside. One profile at a time; without one, a call of a module costs one test more.

local ffi = require "ffi"
local class = require "perilune.class"
local check = require "perilune.check"
local calls = require "perilune.nn.calls"
local engine = require "perilune.engine"
local errors = require "perilune.errors"
local ops = require "perilune.ops"
local report = require "perilune.profile_report"

local C, clock = engine.C, engine.clock

local Profile = class("Profile")

Profile.options = {
  { "max_events", 200000, type = "integer", min = 0,
    doc = "how many ops and how many spans a trace holds at most; sums go on after that" },
}

local running                      -- the profile that is being taken

function Profile:init(o)
  self.max_events = Profile:check(o).max_events
  self.spans, self.sums, self.by_key = {}, {}, {}
  self.stack, self.depth, self.dropped = {}, 0, 0
end

--- Time everything from now on.
-- @raise kind "user" if a profile is being taken already
function Profile:start()
  engine.check(C.pl_profile_start(self.max_events))
  self.started = clock()
  running = self
  calls.observe(self)
end

local function sum_of(self, kind, key)
  local of_kind = self.by_key[kind]
  if not of_kind then
    of_kind = {}
    self.by_key[kind] = of_kind
  end
  local sum = of_kind[key]
  if not sum then
    sum = { kind = kind, key = key, count = 0, total = 0, self = 0 }
    of_kind[key] = sum
    self.sums[#self.sums + 1] = sum
  end
  return sum
end

--- A span begins.
-- @param kind "phase", "module" or a word of your own
-- @param key its name, or the module
-- @return what `leave` takes
function Profile:enter(kind, key)
  local level = self.depth
  self.depth = level + 1
  self.stack[level + 1] = { sum = sum_of(self, kind, key), begin = clock(), inside = 0 }
  return level
end

local function finish_span(self, span, outer, now)
  local seconds, sum = now - span.begin, span.sum
  sum.count, sum.total = sum.count + 1, sum.total + seconds
  sum.self = sum.self + seconds - span.inside
  if outer then outer.inside = outer.inside + seconds end
  if #self.spans < self.max_events then
    span.finish = now
    self.spans[#self.spans + 1] = span
  else
    self.dropped = self.dropped + 1
  end
end

--- A span ends, and with it those inside that an error left open.
-- @param level what `enter` answered
function Profile:leave(level)
  local now = clock()
  for depth = self.depth, level + 1, -1 do
    finish_span(self, self.stack[depth], self.stack[depth - 1], now)
    self.stack[depth] = nil
  end
  self.depth = math.min(self.depth, level)
end

local one_op, some_events = ffi.new "pl_profile_op", ffi.new "const pl_profile_event *[1]"
local some_count = ffi.new "int64_t[1]"

local function read_op(row, backward)
  engine.check(C.pl_profile_read(row.id, backward and 1 or 0, one_op))
  local count = tonumber(one_op.count)
  return count > 0 and { name = row.name, backward = backward, count = count, total = one_op.total,
    self = one_op.self } or nil
end

local function read_ops()
  local list = {}
  for _, row in ipairs(ops.list) do
    list[#list + 1] = read_op(row, false)
    list[#list + 1] = read_op(row, true)
  end
  return list
end

local function read_events(self)
  local n = tonumber(C.pl_profile_events(some_events, some_count))
  local list, from = {}, some_events[0]
  for i = 0, n - 1 do
    list[i + 1] = { name = ops.list[from[i].op + 1].name, backward = from[i].backward ~= 0,
      begin = from[i].begin - self.started, finish = from[i]["end"] - self.started }
  end
  self.dropped = self.dropped + tonumber(some_count[0])
  return list
end

-- Modules by their path below the outermost ones, which were called by nobody.
local function name_modules(self)
  local names = {}
  local modules = self.by_key.module or {}
  for key in next, modules do
    for path, module in key:named_modules() do
      if modules[module] and (not names[module] or #path > #names[module]) then
        names[module] = path
      end
    end
  end
  return names
end

local function name_of(sum, names)
  if sum.kind ~= "module" then return tostring(sum.key) end
  local path, name = names[sum.key], class.name_of(sum.key)
  return path and path ~= "" and ("%s (%s)"):format(path, name) or name
end

--- Time no more; what was measured is in `ops`, `modules`, `phases` and `seconds` from here on.
function Profile:stop()
  if running ~= self then return end
  self:leave(0)
  running = nil
  calls.observe(nil)
  C.pl_profile_stop()
  self.seconds = clock() - self.started
  self.ops, self.events = read_ops(), read_events(self)
  C.pl_profile_free()
  local names = name_modules(self)
  self.modules, self.phases = {}, {}
  for _, sum in ipairs(self.sums) do
    sum.name = name_of(sum, names)
    local list = sum.kind == "module" and self.modules or self.phases
    list[#list + 1] = sum
  end
  for _, span in ipairs(self.spans) do
    span.name, span.kind = span.sum.name, span.sum.kind
    span.begin, span.finish = span.begin - self.started, span.finish - self.started
  end
end

local function check_stopped(self, what)
  if self.ops then return end
  errors.raise("user", ("Profile:%s: the profile has not been taken yet; stop() ends it")
    :format(what))
end

local table_options = {
  { "sort_by", "self", choices = { "self", "total", "count" }, doc = "largest first" },
  { "row_limit", 15, type = "integer", min = 1, doc = "rows of each part" },
}

--- What took how long: phases, modules and ops.
-- @param options { sort_by = "self", row_limit = 15 }
-- @return a string of several lines
function Profile:table(options)
  local o = check.call(table_options, "Profile:table", options)
  check_stopped(self, "table")
  return report.text(self, o)
end

--- Write a trace for chrome://tracing or Perfetto: the spans, and the ops inside of them.
-- @param path the JSON file, written whole or not at all
-- @raise kind "io"
function Profile:export_chrome_trace(path)
  check.value("export_chrome_trace", "path", path, { type = "string" })
  check_stopped(self, "export_chrome_trace")
  require("perilune.atomic_file").write(path, report.trace(self))
end

function Profile:__tostring()
  return self.ops and self:table() or "Profile (not taken yet)"
end

local function finish(profile, ok, ...)
  profile:stop()
  if not ok then error((...), 0) end
  return profile, ...
end

--- Run f(...) and time it.
-- @return the profile, then what f returns
function Profile.take(f, ...)
  check.value("pl.profile", "f", f, { type = "callable" })
  local profile = Profile()
  profile:start()
  return finish(profile, xpcall(f, errors.handler, ...))
end

return Profile
