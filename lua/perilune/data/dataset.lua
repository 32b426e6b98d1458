--- Dataset: samples by position. A subclass gives `get(i)` and `size()`; one whose samples are rows
-- of tensors also gives `source()`, and then C makes the batches without asking `get`. `transform`,
-- an option of those here and a field that may be set at any time, changes each sample.

local class = require "perilune.class"
local errors = require "perilune.errors"
local Transform = require "perilune.data.transform"

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

--- A sample through the dataset's `transform`; `get` ends with `return self:transformed(...)`.
-- @param ... the sample's values, or one table of named fields
-- @return what the transform makes of them
function Dataset:transformed(...)
  local transform = self.transform
  if transform then return transform(...) end
  return ...
end

--- The same for `source()`: the source with the steps of `transform` appended, nil where that is a
-- Lua function. One source gives one result, as long as `transform` stays.
-- @param source a data.Source, or nil
function Dataset:transformed_source(source)
  local transform = self.transform
  if not source or not transform then return source end
  if not class.is_instance(transform, Transform) then return nil end
  local made = self.transformed_sources
  if not made or made.source ~= source or made.transform ~= transform then
    made = { source = source, transform = transform, result = source:transformed(transform) }
    self.transformed_sources = made
  end
  return made.result
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
