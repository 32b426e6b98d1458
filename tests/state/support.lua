-- What the specs of state share.

local assert = require "luassert"
local lfs = require "lfs"

local support = {}

--- The names in a directory, sorted.
function support.entries(path)
  local found = {}
  for name in lfs.dir(path) do
    if not name:find("^%.%.?$") then found[#found + 1] = name end
  end
  table.sort(found)
  return found
end

--- f(...) raises an error of that kind whose message holds the words.
-- @return the error
function support.fails(kind, words, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.are.equal(kind, err.kind, err.message)
  assert.truthy(err.message:find(words, 1, true), err.message)
  return err
end

--- What is written to stderr while f(...) runs without an error.
function support.complaints_of(f, ...)
  local stderr, said = io.stderr, {}
  rawset(io, "stderr", { write = function(_, ...)
    for i = 1, select("#", ...) do said[#said + 1] = (select(i, ...)) end
  end })
  local ok, err = pcall(f, ...)
  rawset(io, "stderr", stderr)
  assert.is_true(ok, tostring(err))
  return table.concat(said)
end

return support
