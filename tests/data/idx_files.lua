--- Small data sets in MNIST's format for the specs, in a folder of their own.

local idx_files = {}

local function big_endian(n)
  return string.char(math.floor(n / 2 ^ 24) % 256, math.floor(n / 2 ^ 16) % 256,
    math.floor(n / 2 ^ 8) % 256, n % 256)
end

--- The bytes of an idx file of u8.
-- @param sizes its dimensions
-- @param values list of bytes
function idx_files.idx(sizes, values)
  local header = { "\0\0\8" .. string.char(#sizes) }
  for _, size in ipairs(sizes) do header[#header + 1] = big_endian(size) end
  local bytes = {}
  for i, value in ipairs(values) do bytes[i] = string.char(value) end
  return table.concat(header) .. table.concat(bytes)
end

function idx_files.write(path, bytes)
  local file = assert(io.open(path, "wb"))
  assert(file:write(bytes))
  file:close()
end

--- Compress a file in place, with gzip's own name for it.
function idx_files.gzip(path)
  assert(os.execute(("gzip -nf '%s'"):format(path)) == 0)
end

function idx_files.read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read "*a"
  file:close()
  return bytes
end

--- A new empty folder.
function idx_files.folder()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute(("mkdir '%s'"):format(path)) == 0)
  return path
end

function idx_files.remove(folder)
  os.execute(("rm -rf '%s'"):format(folder))
end

--- Write n training samples of 3 x 2: pixel p of image i is (7 i + 40 p) mod 256, its label
-- (from 0) is i mod 10.
-- @param how "gzip" or "plain"
function idx_files.make(folder, n, how)
  local pixels, labels = {}, {}
  for i = 1, n do
    for p = 0, 5 do pixels[#pixels + 1] = (7 * i + 40 * p) % 256 end
    labels[i] = i % 10
  end
  idx_files.write(folder .. "/train-images-idx3-ubyte", idx_files.idx({ n, 3, 2 }, pixels))
  idx_files.write(folder .. "/train-labels-idx1-ubyte", idx_files.idx({ n }, labels))
  if how == "gzip" then
    idx_files.gzip(folder .. "/train-images-idx3-ubyte")
    idx_files.gzip(folder .. "/train-labels-idx1-ubyte")
  end
  return folder
end

return idx_files
