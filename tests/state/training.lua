-- One training run with everything that could lose its place: shuffling, augmentation and hooks
-- that use math.random, dropout, accumulation with a short last group, an evaluation, metrics, a
-- scheduler, momentum, averages of the weights, two workers, and a callback that counts. Run as a
-- program it trains into a directory and is killed where it is told, a number of microseconds after
-- the n-th hook that is called. The specs run it in one process as well.
--   perilune training.lua DIRECTORY [kill=HOOKS] [after=MICROSECONDS] [every=N] [epochs=N]

local pl = require "perilune"
local class, data, nn, optim = pl.class, pl.data, pl.nn, pl.optim

local Noisy = class("Noisy", data.Dataset)

function Noisy:init(n, noise)
  self.n, self.noise = n, noise
end

function Noisy:size() return self.n end

function Noisy:get(i)
  local x = pl.tensor{ i / self.n, (i * 7 % self.n) / self.n, self.noise * math.random() }
  return x, i % 3 + 1
end

local Decay = class("Decay")
function Decay:init(optimizer) self.optimizer, self.count = optimizer, 0 end
function Decay:step()
  self.count = self.count + 1
  self.optimizer.param_groups[1].lr = 0.05 / (1 + 0.1 * self.count)
end
function Decay:state_dict() return { count = self.count } end
function Decay:load_state_dict(state) self.count = state.count end

-- Counts every event and draws a number at each.
local Counter = class("Counter", pl.callbacks.TrainerCallback)
function Counter:init() self.counts, self.sum = {}, 0 end
for _, event in ipairs{ "on_training_run_start", "on_train_epoch_start", "on_train_step_start",
  "on_train_batch_loss", "on_backward_end", "on_optimizer_step_end", "on_train_step_end",
  "on_train_epoch_end", "on_eval_epoch_start", "on_eval_step_end", "on_eval_epoch_end",
  "on_training_run_epoch_end", "on_training_run_end" } do
  Counter[event] = function(self, trainer)
    self.counts[event] = (self.counts[event] or 0) + 1
    if trainer.update > 0 then self.sum = self.sum + math.random() end
  end
end
function Counter:state_dict() return { counts = self.counts, sum = self.sum } end
function Counter:load_state_dict(state) self.counts, self.sum = state.counts, state.sum end

local training = {}

--- A trainer for the run; `o.callbacks` come after the counter, files of averages go to
-- `o.folder`.
function training.trainer(o)
  local model = nn.Sequential{
    nn.Linear(3, 16), nn.ReLU(), nn.Dropout{ p = 0.3 }, nn.Linear(16, 3) }
  local callbacks = { Counter(), pl.callbacks.ModelEmaCallback{ decay = 0.9,
    save_path = o.folder .. "/averages.safetensors" } }
  for _, callback in ipairs(o.callbacks or {}) do callbacks[#callbacks + 1] = callback end
  return pl.Trainer{
    model = model, loss_func = nn.CrossEntropyLoss(), metrics = { "accuracy" },
    optimizer = optim.SGD(model:parameters(), { lr = 0.05, momentum = 0.9 }),
    callbacks = callbacks, quiet = true, root_dir = o.root_dir,
  }
end

--- Train; `o.resume_from` and `o.epochs` as given.
function training.run(trainer, o)
  return trainer:train{
    train_dataset = Noisy(o.samples or 50, 1), eval_dataset = Noisy(20, 0.1),
    num_epochs = o.epochs or 3, per_device_batch_size = 4, gradient_accumulation_steps = 3,
    create_scheduler_fn = Decay, resume_from = o.resume_from,
    train_dataloader_kwargs = { num_workers = 2 },
  }
end

--- Everything the run ended with: history, weights, optimizer, scheduler, averages and counter as
-- text, bit by bit.
function training.outcome(trainer)
  local codec = require "perilune.state.codec"
  local history = trainer.run_history:state_dict()
  local function bits(value)
    if pl.is_tensor(value) then return { "tensor", value:totable() } end
    if type(value) ~= "table" then return value end
    local out = {}
    for k, v in pairs(value) do out[k] = bits(v) end
    return out
  end
  return (codec.encode(bits{ history = history, weights = trainer.model:state_dict(),
    optimizer = trainer.optimizer:state_dict(), scheduler = trainer.scheduler:state_dict(),
    callbacks = training.callback_states(trainer), update = trainer.update }, "x"))
end

--- The states of the callbacks that come with the run.
function training.callback_states(trainer)
  local states = {}
  for _, callback in ipairs(trainer.callback_handler.callbacks) do
    if class.is_instance(callback, Counter)
      or class.is_instance(callback, pl.callbacks.ModelEmaCallback) then
      states[#states + 1] = callback:state_dict()
    end
  end
  return states
end

-- A process of its own ends this one, at whatever it and its threads are doing then.
local function killer(hooks, microseconds)
  local Killer = class("Killer", pl.callbacks.TrainerCallback)
  local ffi = require "ffi"
  local called = 0
  ffi.cdef "int getpid(void);"
  for _, event in ipairs{ "on_train_step_start", "on_backward_end", "on_optimizer_step_end",
    "on_train_step_end", "on_train_epoch_end", "on_eval_step_end", "on_training_run_epoch_end" } do
    Killer[event] = function()
      called = called + 1
      if called ~= hooks then return end
      os.execute(("(sleep %f; kill -KILL %d) </dev/null >/dev/null 2>&1 &")
        :format(microseconds * 1e-6, ffi.C.getpid()))
    end
  end
  return Killer()
end

local function main(directory, ...)
  local o = {}
  for _, word in ipairs{ ... } do
    local key, value = word:match("^(%w+)=(%d+)$")
    o[key] = tonumber(value)
  end
  require("perilune.state.directory").make(directory)
  pl.manual_seed(11)
  local callbacks = { pl.callbacks.SaveTrainingStateCallback{
    every = { updates = o.every or 1 }, max_checkpoints = 2, save_at_end = false } }
  if o.kill then callbacks[2] = killer(o.kill, o.after or 0) end
  local trainer = training.trainer{ root_dir = directory, folder = directory,
    callbacks = callbacks }
  training.run(trainer, { resume_from = "auto", epochs = o.epochs })
  local file = assert(io.open(directory .. "/outcome", "w"))
  file:write(training.outcome(trainer))
  file:close()
  trainer:save_checkpoint(directory .. "/weights.safetensors", { save_optimizer = true })
end

if arg and arg[0] and arg[0]:find("training%.lua$") then main(...) end

return training
