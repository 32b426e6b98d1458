--- Dataset: samples by position. A subclass gives `get(i)` and `size()`; one whose samples are rows
-- of tensors also gives `source()`, and then C makes the batches without asking `get`.

local class = require "perilune.class"
local errors = require "perilune.errors"

local Dataset = class("Dataset")

function Dataset:init() end

--- Sample i, counted from 1: its values (`image, label`), or one table of named fields.
function Dataset:get(_)
  errors.raise("argument", ("%s has no get(i)"):format(class.name_of(self)))
end

--- How many samples there are.
function Dataset:size()
  errors.raise("argument", ("%s has no size()"):format(class.name_of(self)))
end

--- The samples as a `data.Source`, or nil where only `get` knows them. Give the same one as long as
-- it holds: the loader's buffers go with it.
function Dataset:source()
  return nil
end

--- Complain about a position that is none of the dataset's.
-- @return i
function Dataset:check_position(i)
  local size = self:size()
  if type(i) ~= "number" or i % 1 ~= 0 or i < 1 or i > size then
    errors.raise("argument", ("%s:get: there is no sample %s; it has 1 to %d"):format(
      class.name_of(self), tostring(i), size), { argument = "i" })
  end
  return i
end

return Dataset
