--- TensorDataset(t1, t2, ..., { transform = f }): sample i is row i of each tensor.

local class = require "perilune.class"
local check = require "perilune.check"
local errors = require "perilune.errors"
local tensor = require "perilune.tensor"
local Dataset = require "perilune.data.dataset"
local Source = require "perilune.data.source"

local TensorDataset = class("TensorDataset", Dataset)

local function check_tensor(t, k, first)
  if not tensor.is_tensor(t) then
    errors.raise("argument", ("TensorDataset: argument %d must be a tensor, got %s"):format(k,
      check.describe(t)))
  elseif t:dim() == 0 then
    errors.raise("shape", ("TensorDataset: argument %d has no rows, it is a scalar"):format(k))
  elseif t:size(1) ~= first:size(1) then
    errors.raise("shape", ("TensorDataset: tensor %d has %d rows and tensor 1 has %d"):format(k,
      t:size(1), first:size(1)))
  end
end

local options = { { "transform", type = "callable", doc = "changes each sample" } }

-- How many of the arguments are tensors; a table behind them holds the options.
local function take_options(self, n, last)
  if n == 0 or type(last) ~= "table" or getmetatable(last) ~= nil then return n end
  self.transform = check.call(options, "TensorDataset", last).transform
  self.tensors[n] = nil
  return n - 1
end

--- Make a dataset of tensors.
-- @param ... tensors with as many rows, of any dtype and shape; contiguous ones share memory. Last,
--   optional: { transform = f }
function TensorDataset:init(...)
  self.tensors = { ... }
  local n = take_options(self, select("#", ...), self.tensors[select("#", ...)])
  if n == 0 then errors.raise("argument", "TensorDataset: give it one tensor or more") end
  for k = 1, n do check_tensor(self.tensors[k], k, self.tensors[1]) end
  for k = 1, n do self.tensors[k] = self.tensors[k]:detach():contiguous():keep() end
end

function TensorDataset:size()
  return self.tensors[1]:size(1)
end

--- Sample i.
-- @return row i of each tensor
function TensorDataset:get(i)
  self:check_position(i)
  local rows = {}
  for k, t in ipairs(self.tensors) do rows[k] = t[i] end
  return self:transformed(unpack(rows))
end

function TensorDataset:source()
  if not self.own_source then
    local fields = {}
    for k, t in ipairs(self.tensors) do fields[k] = { t } end
    self.own_source = Source(fields)
  end
  return self:transformed_source(self.own_source)
end

return TensorDataset
