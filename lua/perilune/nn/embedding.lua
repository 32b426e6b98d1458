--- nn.Embedding: rows of a table, chosen by positions from 1. Initialised from a normal
-- distribution, the row at padding_idx with zeros.

local class = require "perilune.class"
local context = require "perilune.context"
local create = require "perilune.create"
local Module = require "perilune.nn.module"
local Parameter = require("perilune.nn.parameter").Parameter
local init = require "perilune.nn.initializers"

local Embedding = class("Embedding", Module)
Embedding.options = {
  { "num_embeddings", type = "integer", required = true, min = 1, doc = "how many rows" },
  { "embedding_dim", type = "integer", required = true, min = 1, doc = "size of a row" },
  { "padding_idx", type = "integer", min = 1, doc = "position whose row is zero and not learned" },
}

local function zero_row(weight, position)
  weight:select(1, position):zero_()
end

function Embedding:init(o)
  o = Embedding:check(o)
  self.num_embeddings, self.embedding_dim = o.num_embeddings, o.embedding_dim
  self.padding_idx = o.padding_idx
  self.weight = Parameter(create.empty { o.num_embeddings, o.embedding_dim })
  init.normal_(self.weight)
  if o.padding_idx then context.no_grad(zero_row, self.weight, o.padding_idx) end
end

function Embedding:forward(positions)
  return self.weight:embedding(positions, { padding = self.padding_idx or 0 })
end

function Embedding:shape_text()
  return ("%d x %d"):format(self.num_embeddings, self.embedding_dim)
end

function Embedding:extra_repr()
  local padding = self.padding_idx and (", padding_idx=%d"):format(self.padding_idx) or ""
  return ("%d, %d%s"):format(self.num_embeddings, self.embedding_dim, padding)
end

return Embedding
