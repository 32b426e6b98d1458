-- Usage: require.lua START, the monotonic clock when the process was started. Prints the seconds
-- until perilune is loaded.

require "perilune"
print("start_require", require("perilune.engine").clock() - tonumber(arg[1]))
