--- Where ops are called, while results that are not finite are looked for: the engine keeps a
-- number in each node of the tape, so that a gradient can name the line of its op.

local calls = require "perilune.nn.calls"
local engine = require "perilune.engine"
local errors = require "perilune.errors"

local state = engine.context

local origin = {}

local texts, numbers = {}, {}

--- Note where the op that follows is called.
function origin.note()
  local line, layer = errors.position() or "?", calls.current()
  local text = layer and ("%s in %s"):format(line, layer) or line
  local number = numbers[text]
  if not number then
    number = #texts + 1
    texts[number], numbers[text] = text, number
  end
  state.origin = number
end

--- Where the op was called that the engine's context points at; nil where nobody noted it.
function origin.text()
  return texts[state.origin]
end

return origin
