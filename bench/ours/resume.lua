-- From a training state of 10 million parameters, written in the middle of an epoch, to the end of
-- the next update: the slower of an early and a late position. The files have just been written, so
-- the disk is not measured.

local pl = require "perilune"
local clock = pl.engine.clock

local folder = arg[1]
local UPDATES, BATCH, EARLY, LATE = 60, 1000, 2, 58

local Bag = pl.class("Bag", pl.nn.Module)
function Bag:init()
  pl.nn.Module.init(self)
  self.embedding = pl.nn.Embedding(100000, 100)
  self.out = pl.nn.Linear(100, 1)
end
function Bag:forward(words) return self.out(self.embedding(words):mean(2)) end

local words = pl.randint(1, 100000, { UPDATES * BATCH, 4 })
local set = pl.data.TensorDataset(words, pl.randn(UPDATES * BATCH, 1))

local function train(callback, from)
  local model = Bag()
  local trainer = pl.Trainer{ model = model, loss_func = pl.nn.MSELoss(), quiet = true,
    callbacks = { callback }, optimizer = pl.optim.AdamW(model:parameters(), { lr = 1e-3 }) }
  local start = clock()
  trainer:train{ train_dataset = set, num_epochs = 1, per_device_batch_size = BATCH,
    resume_from = from }
  return start
end

train{ on_train_step_end = function(_, trainer)
  local update = trainer.update
  if update == EARLY or update == LATE then
    trainer:save_training_state(folder .. "/" .. update)
  end
end }

local slowest = 0
for _, update in ipairs{ EARLY, LATE } do
  local reached
  local start = train({ on_train_step_end = function(_, trainer)
    reached = reached or clock()
    trainer:stop()
  end }, folder .. "/" .. update)
  print("resume_after_" .. update, reached - start)
  slowest = math.max(slowest, reached - start)
end
print("resume", slowest)
