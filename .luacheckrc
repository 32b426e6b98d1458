-- luacheck's rules: LuaJIT's globals, the width of lines is checked with all files.
std = "luajit"
max_line_length = false
self = false
exclude_files = { "build*/" }
ignore = { "212/_.*", "213/_.*" }
files["tests"] = { std = "+busted" }
files[".luacheckrc"] = { std = "+luacheckrc" }
