-- luacheck's rules: LuaJIT's globals, lines as wide as everywhere else.
std = "luajit"
max_line_length = 100
self = false
exclude_files = { "build*/" }
ignore = { "212/_.*", "213/_.*" }
files["tests"] = { std = "+busted" }
files[".luacheckrc"] = { std = "+luacheckrc" }
