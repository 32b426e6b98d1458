--- What the batches of a prediction gave: kept beyond the scope of their step, and joined along the
-- first dimension at the end. Outputs are tensors, or tables of tensors.

local class = require "perilune.class"
local create = require "perilune.create"
local errors = require "perilune.errors"
local suggest = require "perilune.suggest"
local is_tensor = require("perilune.tensor").is_tensor

local Predictions = class("Predictions")

--- @param concatenate false leaves the outputs as a list with one entry per batch
function Predictions:init(concatenate)
  self.concatenate, self.batches = concatenate, {}
end

local function keep(value)
  if is_tensor(value) then return value:detach():keep() end
  if type(value) ~= "table" or getmetatable(value) then return value end
  local kept = {}
  for key, item in next, value do kept[key] = keep(item) end
  return kept
end

--- Take the outputs of a batch.
function Predictions:add(outputs)
  self.batches[#self.batches + 1] = keep(outputs)
end

local function refuse(what)
  errors.raise("argument", ("Trainer:predict: the outputs of the batches cannot be joined, %s; "
    .. "concatenate = false gives them as a list"):format(what), { argument = "concatenate" })
end

local function same_but_first(a, b)
  if #a ~= #b or #a == 0 then return false end
  for i = 2, #a do
    if a[i] ~= b[i] then return false end
  end
  return true
end

local function join_tensors(list)
  for i = 1, #list do
    local shape, first = list[i].shape, list[1].shape
    if not same_but_first(shape, first) then
      refuse(("those of batch %d are %s, of the first %s"):format(i,
        table.concat(shape, "x"), table.concat(first, "x")))
    end
  end
  return create.cat(list, 1):keep()
end

local join

local function join_fields(batches)
  local joined, keys = {}, {}
  for i = 1, #batches[1] do keys[i] = i end
  for _, name in ipairs(suggest.keys(batches[1])) do keys[#keys + 1] = name end
  for _, key in ipairs(keys) do
    local list = {}
    for i, batch in ipairs(batches) do list[i] = batch[key] end
    joined[key] = join(list)
  end
  return joined
end

function join(list)
  if is_tensor(list[1]) then return join_tensors(list) end
  if type(list[1]) == "table" and not getmetatable(list[1]) then return join_fields(list) end
  refuse("one is a " .. type(list[1]))
end

--- Everything: joined, or a list of batches.
function Predictions:all()
  if not self.concatenate then return self.batches end
  if #self.batches == 0 then
    errors.raise("argument", "the loader gave no batch: is the dataset empty?")
  end
  return join(self.batches)
end

return Predictions
