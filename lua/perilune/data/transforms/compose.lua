--- compose{ a, b, ... }: one transform after the other, of samples or of batches. Where all of them
-- run in C they stay together and run there; a Lua function among them makes all of it run in Lua.

local check = require "perilune.check"
local class = require "perilune.class"
local errors = require "perilune.errors"
local Transform = require "perilune.data.transform"

local compose = {}

local Composed = class("Composed")
compose.Composed = Composed

function Composed:init(list)
  self.list = list
end

local function run(list, k, ...)
  if k > #list then return ... end
  return run(list, k + 1, list[k](...))
end

function Composed:__call(...)
  return run(self.list, 1, ...)
end

local function all_in_c(list)
  local steps = {}
  for _, one in ipairs(list) do
    if not class.is_instance(one, Transform) then return nil end
    for _, step in ipairs(one.steps) do steps[#steps + 1] = step end
  end
  return steps
end

--- Join transforms.
-- @param list transforms, functions among them
-- @return a transform
function compose.compose(list)
  check.value("compose", "list", list, { type = "list" })
  for k, one in ipairs(list) do
    check.value("compose", ("transform %d"):format(k), one, { type = "callable" })
  end
  if #list == 0 then errors.raise("argument", "compose: give it one transform or more") end
  local steps = all_in_c(list)
  return steps and Transform(steps) or Composed(list)
end

return compose
