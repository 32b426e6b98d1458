-- The training step of a character language model, batch 32 of 64 characters in memory: embedding,
-- two LSTM layers of 256, a projection to 96 characters; Adam, gradients clipped by norm.
-- Usage: lstm_step.lua THREADS; prints seconds per step.

package.path = "./bench/ours/?.lua;" .. package.path
local pl = require "perilune"
local context = require "perilune.context"
local gradients = require "perilune.trainer.gradients"
local quiet = require "quiet"
local nn = pl.nn

local CHARACTERS, STEPS, BATCH = 96, 64, 32

pl.engine.set_threads(tonumber(arg[1]))
pl.manual_seed(0)
local embedding = nn.Embedding(CHARACTERS, 64)
local lstm = nn.LSTM(64, 256, { num_layers = 2 })
local head = nn.Linear(256, CHARACTERS)
local optimizer = pl.optim.Adam(nn.Sequential{ embedding, lstm, head }:parameters(), { lr = 0.002 })
local loss_func, scope = nn.CrossEntropyLoss(), context.Scope()
local text = pl.randint(1, CHARACTERS, { STEPS, BATCH }):keep()
local target = pl.randint(1, CHARACTERS, { STEPS * BATCH }):keep()

local function steps(n)
  for _ = 1, n do
    scope:enter()
    optimizer:zero_grad()
    local logits = head((lstm(embedding(text))))
    loss_func(logits:flatten(1, 2), target):backward()
    gradients.clip_norm(gradients.list(optimizer), 1)
    optimizer:step()
    scope:close()
  end
end

steps(2)
print("lstm_step", quiet.seconds_per_call(steps))
