-- The Lua side of state_fuzz.c: a trainer whose good state lies in a directory, and a function that
-- puts a text in place of one of its files and answers what lays the state over the trainer.

local pl = require "perilune"
local errors = require "perilune.errors"

local names = { [0] = "state.json", "model.safetensors", "state.safetensors" }

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

return function(folder)
  local state = folder .. "/state"
  local model = pl.nn.Linear(3, 2)
  local trainer = pl.Trainer{ model = model, quiet = true, loss_func = pl.nn.MSELoss(),
    optimizer = pl.optim.AdamW(model:parameters(), { lr = 0.1 }), metrics = {}, root_dir = folder,
    callbacks = { pl.callbacks.ModelCheckpoint{ monitor = "train_loss_epoch" },
      pl.callbacks.EarlyStopping{ monitor = "train_loss_epoch" }, pl.callbacks.ModelEmaCallback{
        save_path = folder .. "/ema" }, pl.callbacks.SaveTrainingStateCallback() } }
  trainer:train{ train_dataset = pl.data.TensorDataset(pl.randn(4, 3), pl.randn(4, 2)),
    num_epochs = 2, per_device_batch_size = 2 }
  trainer:save_training_state(state)
  local good = {}
  for i = 0, 2 do good[i] = read(state .. "/" .. names[i]) end

  local function lay()
    local ok, err = pcall(trainer.load_training_state, trainer, state)
    if not ok then assert(errors.is(err), tostring(err)) end
    model:zero_grad()
  end

  lay()   -- so that everything is loaded
  return function(which, text)
    for i = 0, 2 do write(state .. "/" .. names[i], i == which and text or good[i]) end
    return lay
  end, good
end
