-- Runs recipes as a user does, through the executable.

local cjson = require "cjson"
local process = require "tests.host.process"

local support = {}

--- Runs a recipe.
-- @param name its file in recipes/, without .lua
-- @param arguments text for the shell
-- @param prefix optional words before the command
-- @return exit code, standard output, standard error
function support.run(name, arguments, prefix)
  local result = process.run(("%s %s recipes/%s.lua %s"):format(prefix or "",
    process.quote(process.perilune), name, arguments))
  return result.code, result.out, result.err
end

--- Runs a recipe that must succeed without a word on standard error.
-- @return what it writes with --json
function support.results(name, arguments)
  local path = os.tmpname()
  local code, _, err = support.run(name, ("%s --json %s"):format(arguments, path))
  local text = process.read(path)
  os.remove(path)
  assert(code == 0 and err == "", ("%s exits with %d: %s"):format(name, code, err))
  return cjson.decode(text)
end

return support
