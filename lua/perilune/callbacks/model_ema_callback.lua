--- Keeps moving averages of the model's parameters and buffers, moved after every update. During
-- training evaluations measure the averages, and the best of them are saved. The model itself goes
-- on as it was; `callback.ema.module` is the averaged model.

local class = require "perilune.class"
local ModelEma = require "perilune.model_ema"
local SaveBestModelCallback = require "perilune.callbacks.save_best_model_callback"

local ModelEmaCallback = class("ModelEmaCallback", SaveBestModelCallback)

ModelEmaCallback.options = {
  { "decay", 0.999, min = 0, max = 1, doc = "how much of the averages an update leaves" },
  { "evaluate_during_training", true, doc = "false: evaluations measure the model itself" },
  { "save_path", "ema_model.safetensors", doc = "the file" },
  { "load_saved_checkpoint", false, doc = "give the model the best averages when the run ends" },
  { "model_ema", ModelEma, type = "callable", doc = "pl.ModelEma or a subclass" },
}

--- Averages are in place before others evaluate or save, and out of it before others save.
ModelEmaCallback.priority = 20

function ModelEmaCallback:init(o)
  o = ModelEmaCallback:check(o)
  SaveBestModelCallback.init(self, o)
  self.decay, self.model_ema = o.decay, o.model_ema
  self.evaluate_during_training = o.evaluate_during_training
end

local function put_in(self)
  if not self.ema.swapped_with then self.ema:swap(self.model) end
end

local function take_out(self)
  if self.ema and self.ema.swapped_with then self.ema:swap(self.model) end
end

--- With reset_on_train the averages start again from the model.
function ModelEmaCallback:on_training_run_start(trainer)
  SaveBestModelCallback.on_training_run_start(self, trainer)
  if self.reset_on_train or not self.ema or self.model ~= trainer.model then
    self.model = trainer.model
    self.ema = self.model_ema(trainer.model, { decay = self.decay })
  end
  self.is_training, self.is_evaluating = true, false
  local state = self.waiting
  if state then
    self.waiting = nil
    self:load_state_dict(state)
  end
end

function ModelEmaCallback:on_optimizer_step_end(trainer)
  self.ema:update(trainer.model)
end

function ModelEmaCallback:on_eval_epoch_start()
  self.is_evaluating = self.is_training and self.evaluate_during_training
  if self.is_evaluating then put_in(self) end
end

-- A state that was taken within the evaluation has put the model's own values back.
function ModelEmaCallback:on_eval_step_start()
  if self.is_evaluating then put_in(self) end
end

function ModelEmaCallback:on_eval_epoch_end()
  self.is_evaluating = false
  take_out(self)
end

function ModelEmaCallback:on_training_run_epoch_end(trainer)
  self.ema:average_weights(trainer.model, SaveBestModelCallback.on_training_run_epoch_end, self,
    trainer)
end

function ModelEmaCallback:on_exception()
  take_out(self)
end

function ModelEmaCallback:on_teardown()
  self.is_training, self.is_evaluating = false, false
  take_out(self)
end

-- A training state reads the model after its callbacks: Ctrl-C may ask for one in an evaluation.
function ModelEmaCallback:state_dict()
  take_out(self)
  local state = SaveBestModelCallback.state_dict(self)
  state.ema = self.ema and self.ema:state_dict() or nil
  return state
end

-- Outside of a run there may be no averages yet, and the next run would start them again.
function ModelEmaCallback:load_state_dict(state)
  if not self.is_training then
    self.waiting = state
    return
  end
  SaveBestModelCallback.load_state_dict(self, state)
  if state.ema then self.ema:load_state_dict(state.ema) end
end

return ModelEmaCallback
