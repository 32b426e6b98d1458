--- What language models learn from: sample i is a window of tokens, its target the same window one
-- token further on. Windows are views of the tokens; C makes the batches.

local class = require "perilune.class"
local check = require "perilune.check"
local create = require "perilune.create"
local errors = require "perilune.errors"
local Dataset = require "perilune.data.dataset"
local Source = require "perilune.data.source"

local NextTokenDataset = class("NextTokenDataset", Dataset)

NextTokenDataset.options = {
  { "tokens", type = "tensor", required = true, doc = "a text as positions, one dimension" },
  { "length", type = "integer", required = true, min = 1, doc = "tokens of a window" },
  { "stride", type = "integer", min = 1,
    doc = "tokens from the start of a window to that of the next; length if not given" },
  { "transform", type = "callable", doc = "changes each sample" },
}

local function check_tokens(tokens, length)
  if tokens:dim() ~= 1 then
    errors.raise("shape", ("NextTokenDataset: tokens must have one dimension, got %s")
      :format(check.describe(tokens)), { argument = "tokens" })
  elseif tokens:size(1) <= length then
    errors.raise("shape", ("NextTokenDataset: %d tokens are too few for a window of %d and the "
      .. "token behind it"):format(tokens:size(1), length), { argument = "length" })
  end
end

-- Rows of `length` tokens from `first` on. Where they overlap they need memory of their own.
local function windows(self, first)
  local count, length, stride = self.count, self.length, self.stride
  if stride == length then
    return self.tokens:narrow(1, first, count * length):reshape(count, length)
  end
  local starts = create.arange(first, first + (count - 1) * stride, stride):unsqueeze(2)
  local places = starts + create.arange(0, length - 1)
  return self.tokens:index_select(places:flatten(), 1):reshape(count, length)
end

function NextTokenDataset:init(o)
  o = NextTokenDataset:check(o)
  check_tokens(o.tokens, o.length)
  self.tokens, self.length = o.tokens:detach():contiguous():keep(), o.length
  self.stride, self.transform = o.stride or o.length, o.transform
  self.count = math.floor((self.tokens:size(1) - self.length - 1) / self.stride) + 1
  self.samples = Source{ { windows(self, 1) }, { windows(self, 2) } }
end

--- How many windows there are; tokens left at the end are in none.
function NextTokenDataset:size()
  return self.count
end

--- Window i.
-- @return the tokens; the tokens that follow each of them
function NextTokenDataset:get(i)
  self:check_position(i)
  return self:transformed(self.samples:read(i))
end

function NextTokenDataset:source()
  return self:transformed_source(self.samples)
end

return NextTokenDataset
