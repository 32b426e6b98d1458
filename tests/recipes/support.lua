-- Runs recipes as a user does, through the executable.

local cjson = require "cjson"
local process = require "tests.host.process"

local support = {}

-- `watch` hears of every trainer that the recipe makes, after all other callbacks; what is put into
-- `seen` comes back.
local OBSERVER = [[
local pl = require "perilune"
local seen, watch, trainers = {}, { priority = -1000 }, {}
local init = pl.Trainer.init
function pl.Trainer:init(o)
  init(self, o)
  trainers[#trainers + 1] = self
  self:add_callback(watch)
end
local function first_batch(dataset, epoch, collate_fn)
  local loader = pl.data.DataLoader(dataset, { batch_size = 16, collate_fn = collate_fn })
  loader:set_epoch(epoch or 1)
  for batch in loader:batches() do return batch end
end
local function same(a, b) return a:eq(b):all():item() end
%s
dofile "recipes/%s.lua"
require("perilune.atomic_file").write(%q, require("perilune.json").encode(seen))
]]

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

local function decoded(path)
  local text = process.read(path)
  os.remove(path)
  return text ~= "" and cjson.decode(text)
end

local function results_of(script, arguments)
  local path = os.tmpname()
  local result = process.run(("%s %s %s --json %s"):format(process.quote(process.perilune), script,
    arguments, path))
  local results = decoded(path)
  assert(result.code == 0 and result.err == "",
    ("%s exits with %d: %s"):format(script, result.code, result.err))
  return results
end

--- Runs a recipe that must succeed without a word on standard error.
-- @return what it writes with --json
function support.results(name, arguments)
  return results_of(("recipes/%s.lua"):format(name), arguments)
end

--- Runs a recipe as it is, with code before it that looks on.
-- @param code Lua that defines hooks of `watch` and fills `seen`; it has `pl`, `trainers` (in the
--   order they were made), first_batch(dataset, epoch, collate_fn) and same(a, b)
-- @return what was seen
-- @return what the recipe writes with --json
function support.observed(name, arguments, code)
  local path, script = os.tmpname(), os.tmpname()
  process.write(script, OBSERVER:format(code, name, path))
  local ok, results = pcall(results_of, script, arguments)
  os.remove(script)
  local seen = decoded(path)
  assert(ok, results)
  return seen, results
end

return support
