-- Where the fuzzers begin: good files of each kind, below the folder that is given.

local pl = require "perilune"
local directory = require "perilune.state.directory"

local folder = ...

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function seed(kind, name, text)
  directory.make(folder .. "/" .. kind)
  local file = assert(io.open(("%s/%s/%s"):format(folder, kind, name), "wb"))
  file:write(text)
  file:close()
end

directory.make(folder)
local path = folder .. "/file"
pl.manual_seed(1)
local tensors = { a = pl.randn(2, 3), ["b.c"] = pl.ones(2, { dtype = "i64" }), d = pl.ones(1) }
pl.safetensors.save(path, tensors, { format = "pt" })
local text = read(path)
seed("safetensors", "good", text)
-- A header's input begins with a fourth of the size of the data.
seed("header", "good", string.char((24 + 16 + 4) / 4) .. text:sub(9, -24 - 16 - 4 - 1))

local labels = "\0\0\8\1\0\0\0\3\1\2\9"
seed("idx", "labels", labels)
seed("idx", "images", "\0\0\8\3\0\0\0\1\0\0\0\2\0\0\0\2abcd")
path = folder .. "/labels"
local file = assert(io.open(path, "wb"))
file:write(labels)
file:close()
os.execute(("gzip -nf '%s'"):format(path))
seed("idx", "gzip", read(path .. ".gz"))

local _, good = assert(dofile "tests/fuzz/state_fuzz.lua")(folder .. "/state_of_seeds")
for i = 0, 2 do seed("state", tostring(i), string.char(i) .. good[i]) end
