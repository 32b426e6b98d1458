--- for fold, train, valid in k_fold(dataset, 5) do: the dataset cut at random into parts of about
-- one size; in each round one of them is for validation and the others are for training.

local check = require "perilune.check"
local errors = require "perilune.errors"
local ConcatDataset = require "perilune.data.concat_dataset"
local random_split = require "perilune.data.random_split"

local options = {
  { "dataset", type = "table", required = true, doc = "what to split" },
  { "folds", type = "integer", required = true, min = 2, doc = "how many parts" },
  { "seed", type = "integer", doc = "draw from this seed instead of pl.manual_seed's" },
}

--- Parts of a dataset for cross-validation. Every sample is in one `valid`.
-- @param dataset the dataset
-- @param folds how many parts, at least 2
-- @param o optional { seed = n }
-- @return what a `for` loop takes: the fold from 1, its training set, its validation set
local function k_fold(...)
  local o = check.call(options, "k_fold", ...)
  if o.dataset:size() < o.folds then
    errors.raise("argument", ("k_fold: %d folds of a dataset of %d samples"):format(o.folds,
      o.dataset:size()), { argument = "folds" })
  end
  local shares = {}
  for fold = 1, o.folds do shares[fold] = 1 / o.folds end
  local parts = { random_split(o.dataset, shares, { seed = o.seed }) }
  return function(_, fold)
    fold = fold + 1
    local valid, others = parts[fold], {}
    if not valid then return nil end
    for k, part in ipairs(parts) do
      if k ~= fold then others[#others + 1] = part end
    end
    return fold, ConcatDataset(others), valid
  end, nil, 0
end

return k_fold
