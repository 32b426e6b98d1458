--- Files that appear whole or not at all: written beside their place under a temporary name,
-- synced to the disk, then renamed over it. After a failure the old file is as it was and nothing
-- is left. Only what exists and is no regular file (a pipe, /dev/stdout) is written in place.

local ffi = require "ffi"
local errors = require "perilune.errors"

ffi.cdef [[
int fileno(void *stream);
int fsync(int fd);
int getpid(void);
]]

local atomic_file = {}

local function fail(path, reason)
  -- io's messages begin with the name they were given, which may be the temporary one.
  reason = tostring(reason):gsub("^.*: ", "")
  errors.raise("io", ("cannot write %s: %s"):format(path, reason), { argument = "path" })
end

-- The name to write under, and whether it is to be renamed.
local function target(path)
  local mode = require("lfs").attributes(path, "mode")
  if mode == "directory" then fail(path, "it is a directory") end
  if mode and mode ~= "file" then return path, false end
  return ("%s.%d.tmp"):format(path, ffi.C.getpid()), true
end

-- Syncs and closes; answers nil and the system's reason where one of them failed. Never compiled:
-- where a compiled flush fails, LuaJIT leaves its trace and flushes again, and the C library, which
-- has dropped what it could not write, calls that second flush a success.
local function finish(file)
  local ok, reason = file:flush()
  -- A pipe or a device cannot be synced; a full disk has been seen by flush.
  if ok then ffi.C.fsync(ffi.C.fileno(file)) end
  local closed, close_reason = file:close()
  if not ok then return nil, reason end
  return closed, close_reason
end
jit.off(finish)

local Writer = {}
Writer.__index = Writer

--- Give up: the old file stays as it is.
function Writer:discard()
  if not self.file then return end
  self.file:close()
  self.file = nil
  if self.renamed then os.remove(self.name) end
end

--- Write more of the file.
-- @raise kind "io" with the system's reason; nothing is left then
function Writer:write(text)
  local ok, reason = self.file:write(text)
  if ok then return end
  self:discard()
  fail(self.path, reason)
end

--- The file is whole: let it take its place.
-- @raise kind "io" with the system's reason; nothing is left then
function Writer:commit()
  local ok, reason = finish(self.file)
  self.file = nil
  if ok and self.renamed then ok, reason = os.rename(self.name, self.path) end
  if ok then return end
  if self.renamed then os.remove(self.name) end
  fail(self.path, reason)
end

--- Begin a file that is written piece by piece, and is there when it is whole.
-- @param path where; its directory must exist
-- @return an object with write(text), commit() and discard()
-- @raise kind "io" with the system's reason: no such directory, permission denied
function atomic_file.open(path)
  local name, renamed = target(path)
  local file, reason = io.open(name, "wb")
  if not file then fail(path, reason) end
  return setmetatable({ file = file, name = name, renamed = renamed, path = path }, Writer)
end

--- Write a whole file, or leave everything as it was.
-- @param path where; its directory must exist
-- @param text the content
-- @raise kind "io" with the system's reason: disk full, no such directory, permission denied
function atomic_file.write(path, text)
  local writer = atomic_file.open(path)
  writer:write(text)
  writer:commit()
end

--- Raise now what `write` would raise later because of the place: a missing or read-only
-- directory, a path that is a directory. Leaves nothing behind and `path` as it is.
function atomic_file.check(path)
  local name, renamed = target(path)
  if not renamed then return end
  local file, reason = io.open(name, "wb")
  if not file then fail(path, reason) end
  file:close()
  os.remove(name)
end

return atomic_file
