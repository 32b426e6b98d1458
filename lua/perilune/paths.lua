--- Where Perilune's files lie when plain luajit runs it: beside this file, in the source tree with
-- its build/ folder or below the prefix it is installed in. The `perilune` executable fills
-- package.loaded["perilune.paths"] with the same fields itself and this file is not read.

local lua = debug.getinfo(1, "S").source:match("^@(.*)[/\\]perilune[/\\][^/\\]+$") or "."

local function exists(path)
  local file = io.open(path, "r")
  if file then file:close() end
  return file ~= nil
end

local tree = lua .. "/.."
if exists(tree .. "/engine/perilune.h") then
  return {
    lua = lua,
    lib = tree .. "/build",
    header = tree .. "/engine/perilune.h",
  }
end

local prefix = lua .. "/../../.."
return {
  lua = lua,
  lib = prefix .. "/lib/perilune",
  header = prefix .. "/include/perilune/perilune.h",
}
