-- A language model of characters: an LSTM reads the licences that every Debian has, learns which
-- character comes next, and writes a text of its own.
--
--   command    build/perilune recipes/character_lm.lua
--   hardware   any CPU; no accelerator is used
--   time       61 s for 10 epochs on one core of an AMD EPYC (Zen 4)
--   expect     a perplexity of 4.3 for each character of the texts it has not read
--
-- Every text file will do (--data FILE); its last tenth is for the evaluation. --help lists the
-- options.

local pl = require "perilune"
local nn, optim, data, recipe = pl.nn, pl.optim, pl.data, pl.recipe

local options = recipe.options("Trains a language model of characters.", {
  { "epochs", 10 },
  { "batch_size", 16, type = "integer", min = 1, doc = "windows of a training batch" },
  { "length", 64, type = "integer", min = 1, doc = "characters of a window" },
  { "width", 256, type = "integer", min = 1, doc = "features of the LSTM" },
  { "lr", 0.005, min = 0, doc = "learning rate at its peak" },
  { "prompt", "You may ", doc = "how the sample of text begins" },
  { "sample", 400, type = "integer", min = 0, doc = "characters of the sample" },
  { "data", doc = "a text to learn, instead of Debian's licences" },
})

-- Debian's package base-files has them all; the last two are the tenth that is not read.
local licences = {
  "Apache-2.0", "Artistic", "BSD", "CC0-1.0", "GFDL-1.2", "GFDL-1.3", "GPL-1", "GPL-2", "GPL-3",
  "LGPL-2", "LGPL-2.1", "LGPL-3", "MPL-1.1", "MPL-2.0",
}

local function read(path)
  local file, reason = io.open(path, "rb")
  if not file then error(reason .. "; give a text with --data FILE", 0) end
  local text = file:read "*a"
  file:close()
  return text
end

local function read_licences()
  local texts = {}
  for i, name in ipairs(licences) do texts[i] = read("/usr/share/common-licenses/" .. name) end
  return table.concat(texts)
end

local corpus = options.data and read(options.data) or read_licences()
local vocabulary = data.CharacterVocabulary(corpus)
local characters = vocabulary:encode(corpus)
local function windows(first, last)
  local set = data.NextTokenDataset(characters[{ { first, last } }], options.length)
  return recipe.limited(set, options.limit)
end
local border = math.floor(0.9 * characters:size(1))

local CharacterModel = pl.class("CharacterModel", nn.Module)

function CharacterModel:init()
  nn.Module.init(self)
  self.embedding = nn.Embedding(vocabulary:size(), 64)
  self.lstm = nn.LSTM(64, options.width, { batch_first = true })
  self.dropout = nn.Dropout{ p = 0.3 }
  self.head = nn.Linear(options.width, vocabulary:size())
end

function CharacterModel:forward(positions, state)
  local features, next_state = self.lstm(self.embedding(positions), state)
  return self.head(self.dropout(features)), next_state
end

-- The character after the prompt is drawn, then the one after that: the largest of the scores plus
-- Gumbel noise is a draw from their softmax.
function CharacterModel:sample(prompt, length)
  local text, position, state = { prompt }, vocabulary:encode(prompt):unsqueeze(1), nil
  self:eval()
  for i = 1, length do
    local scores, next_state = self(position, state)
    local last = scores:select(2, -1)
    position = (last - (-pl.rand(last.shape):log()):log()):argmax(-1, { keepdim = true })
    text[i + 1], state = vocabulary:decode(position[1]), next_state
  end
  return table.concat(text)
end

local function record_perplexity(history, part)
  local loss = history:get_latest_metric(part .. "_loss_epoch")
  history:update_metric(part .. "_perplexity", math.exp(loss))
end

local perplexity = {}
function perplexity:on_train_epoch_end(trainer) record_perplexity(trainer.run_history, "train") end
function perplexity:on_eval_epoch_end(trainer) record_perplexity(trainer.run_history, "eval") end

local model = CharacterModel()
local trainer = pl.Trainer{
  model = model,
  loss_func = function(scores, targets)
    return nn.functional.cross_entropy(scores:flatten(1, 2), targets:flatten())
  end,
  optimizer = optim.AdamW(model:parameters(), { lr = options.lr }),
  quiet = options.quiet,
}
trainer:add_callback(perplexity)
local history = trainer:train{
  train_dataset = windows(1, border), eval_dataset = windows(border + 1, -1),
  num_epochs = options.epochs, per_device_batch_size = options.batch_size,
  gradient_clip_norm = 1,
  create_scheduler_fn = pl.schedulers.CosineLrScheduler:create_scheduler_fn{
    num_warmup_epochs = 1,
  },
}

local sample = pl.no_grad(model.sample, model, options.prompt, options.sample)
trainer:print("\n" .. sample)
trainer:print(("\nperplexity %.3f"):format(history:get_latest_metric "eval_perplexity"))

recipe.write_results(options, {
  train_perplexity = history:get_metric_values "train_perplexity",
  eval_perplexity = history:get_metric_values "eval_perplexity",
  vocabulary_size = vocabulary:size(),
  sample = sample,
})
