-- Where the fuzzers begin, below the folder that is given: good files of each kind, every beginning
-- of them, and what a single check refuses.

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

local function cuts(kind, name, text)
  for n = 0, #text - 1 do seed(kind, name .. "_cut_" .. n, text:sub(1, n)) end
end

-- A header's input begins with a fourth of the size of the data.
local function header(bytes, text) return string.char(bytes / 4) .. text end

local function entry(name, shape, first, last)
  return ('"%s":{"dtype":"F32","shape":%s,"data_offsets":[%d,%d]}'):format(name, shape, first, last)
end

directory.make(folder)
local path = folder .. "/file"
pl.manual_seed(1)
local tensors = { a = pl.randn(2, 3), ["b.c"] = pl.ones(2, { dtype = "i64" }), d = pl.ones(1) }
pl.safetensors.save(path, tensors, { format = "pt" })
local text = read(path)
seed("safetensors", "good", text)
seed("header", "good", header(24 + 16 + 4, text:sub(9, -24 - 16 - 4 - 1)))
cuts("safetensors", "good", text)

local notes = '"__metadata__":{"k\\u00e9":"\\ud83c\\udf19\195\169\\n"}'
local told = "{" .. notes .. "," .. entry("a", "[1]", 0, 4) .. "} "
seed("header", "told", header(4, told))
cuts("header", "told", header(4, told))
for name, what in pairs{
  nine_dimensions = { 4, entry("a", "[1,1,1,1,1,1,1,1,1]", 0, 4) },
  too_many_elements = { 4, entry("a", "[4611686018427387904,4]", 0, 4) },
  other_size = { 4, entry("a", "[3]", 0, 4) },
  hole = { 8, entry("a", "[1]", 0, 4) .. "," .. entry("b", "[1]", 8, 12) },
  overlap = { 8, entry("a", "[1]", 0, 4) .. "," .. entry("b", "[1]", 0, 4) },
  beyond = { 4, entry("a", "[2]", 0, 8) },
  rest = { 8, entry("a", "[1]", 0, 4) },
  twice = { 8, entry("a", "[1]", 0, 4) .. "," .. entry("a", "[1]", 4, 8) },
} do
  local members = "{" .. what[2] .. "}"
  seed("header", name, header(what[1], members))
  seed("safetensors", name, string.char(#members) .. ("\0"):rep(7) .. members
    .. ("\0"):rep(what[1]))
end
seed("safetensors", "negative_length", ("\255"):rep(8) .. text:sub(9))

local function gzip(contents)
  local name = folder .. "/labels"
  local file = assert(io.open(name, "wb"))
  file:write(contents)
  file:close()
  os.execute(("gzip -nf '%s'"):format(name))
  return read(name .. ".gz")
end

local labels = "\0\0\8\1\0\0\0\3\1\2\9"
local images = "\0\0\8\3\0\0\0\1\0\0\0\2\0\0\0\2abcd"
for name, good in pairs{ labels = labels, images = images, gzip = gzip(labels) } do
  seed("idx", name, good)
  cuts("idx", name, good)
end
seed("idx", "no_pixels", "\0\0\8\3\0\0\0\4\0\0\0\0\0\0\0\2")
seed("idx", "too_many_pixels", "\0\0\8\3" .. ("\255"):rep(12))
-- 4 GiB, says its header, and so does the gzip around it; the rest is more than a first look takes.
local little = gzip("\0\0\8\1\255\255\255\0" .. ("\0"):rep(4000))
seed("idx", "gzip_of_gigabytes", little:sub(1, -5) .. "\8\255\255\255")

local _, good = assert(dofile "tests/fuzz/state_fuzz.lua")(folder .. "/state_of_seeds")
for i = 0, 2 do seed("state", tostring(i), string.char(i) .. good[i]) end
