--- The characters of a text as positions from 1, in the order of their bytes. A character is what
-- UTF-8 takes for one, and whatever the bytes are, decoding gives back what was encoded.

local class = require "perilune.class"
local create = require "perilune.create"
local errors = require "perilune.errors"
local is_tensor = require("perilune.tensor").is_tensor

local CharacterVocabulary = class("CharacterVocabulary")

CharacterVocabulary.options = {
  { "text", type = "string", required = true, doc = "what has every character" },
}

-- A byte and the continuation bytes behind it.
local character = ".[\128-\191]*"

function CharacterVocabulary:init(o)
  local positions, characters = {}, {}
  for c in CharacterVocabulary:check(o).text:gmatch(character) do
    if not positions[c] then
      positions[c] = true
      characters[#characters + 1] = c
    end
  end
  if #characters == 0 then
    errors.raise("argument", "CharacterVocabulary: the text is empty", { argument = "text" })
  end
  table.sort(characters)
  for i, c in ipairs(characters) do positions[c] = i end
  self.characters, self.positions = characters, positions
end

--- How many different characters there are.
function CharacterVocabulary:size()
  return #self.characters
end

--- @param text string
-- @return i64 tensor of positions, one for each character
-- @raise where the vocabulary lacks a character
function CharacterVocabulary:encode(text)
  local positions, list = self.positions, {}
  for c in text:gmatch(character) do
    list[#list + 1] = positions[c] or errors.raise("argument",
      ("CharacterVocabulary: it lacks the character '%s' (number %d of the text)"):format(c,
        #list + 1), { argument = "text" })
  end
  return create.tensor(list, { dtype = "i64" })
end

--- @param positions a tensor of one dimension, or a list
-- @return string
function CharacterVocabulary:decode(positions)
  local list, text = is_tensor(positions) and positions:totable() or positions, {}
  for i, position in ipairs(list) do
    text[i] = self.characters[position] or errors.raise("argument",
      ("CharacterVocabulary: position %s is none of 1 to %d"):format(tostring(position),
        self:size()), { argument = "positions" })
  end
  return table.concat(text)
end

return CharacterVocabulary
