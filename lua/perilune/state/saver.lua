--- Saving in the background: what is to be saved is copied at once, a thread of the engine brings
-- it to the disk, and its owner hears of the end when it asks. Saves and removals keep their order.

local ffi = require "ffi"
local C = require "perilune.io_ffi"
local check = require "perilune.check"
local class = require "perilune.class"
local engine = require "perilune.engine"
local safetensors = require "perilune.safetensors"

local Saver = class("Saver")

local out, status = ffi.new "pl_saver *[1]", ffi.new "pl_status[1]"

function Saver:init()
  engine.check(C.pl_saver_new(out))
  self.thread = ffi.gc(out[0], C.pl_saver_free)
  self.ends = {}
end

local function handed_over(self, when_over)
  self.ends[#self.ends + 1] = when_over or false
end

local function add(thread, file)
  local name = file.name or ""
  if file.text then
    return engine.check(C.pl_saver_add_text(thread, name, file.text, #file.text))
  end
  engine.check(C.pl_saver_add_tensors(thread, name,
    safetensors.arguments(file.tensors, file.metadata)))
end

--- Save a file or a directory, whole or not at all.
-- @param path where
-- @param files { { name =, text = } or { name =, tensors =, metadata = }, ... }: the files of a
--   directory; a single one without a name is written to `path` itself
-- @param when_over when_over(err) is called by a later `poll`; err is nil when it is on the disk
function Saver:save(path, files, when_over)
  local is_directory = files[1].name ~= nil
  check.path("save", path)
  engine.check(C.pl_saver_begin(self.thread, path, is_directory and 1 or 0))
  for _, file in ipairs(files) do
    add(self.thread, file)
  end
  engine.check(C.pl_saver_commit(self.thread))
  handed_over(self, when_over)
end

--- Take a file away, or a directory with the files of these names; other files stay in it.
function Saver:remove(path, names)
  local list = ffi.new("const char *[?]", math.max(#names, 1))
  for i, name in ipairs(names) do list[i - 1] = name end
  engine.check(C.pl_saver_remove(self.thread, check.path("remove", path), list, #names))
  handed_over(self)
end

--- Is anything on its way?
function Saver:is_busy()
  return self.ends[1] ~= nil
end

--- Call the when_over of what has ended; what could not be removed is said.
-- @param wait until nothing is on its way
function Saver:poll(wait)
  while self.ends[1] ~= nil and C.pl_saver_next(self.thread, wait and 1 or 0, status) ~= 0 do
    local when_over = table.remove(self.ends, 1)
    local ok, err = pcall(engine.check, status[0])
    if when_over then when_over(not ok and err or nil)
    elseif not ok then io.stderr:write("perilune: ", err.message, "\n") end
  end
end

--- Give back its thread and memory, once nothing is on its way.
function Saver:close()
  if self.thread then C.pl_saver_free(ffi.gc(self.thread, nil)) end
  self.thread = nil
end

return Saver
