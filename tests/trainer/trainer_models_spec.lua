-- Models of other shapes than image classifiers.
local pl = require "perilune"
local class, nn, optim, data = pl.class, pl.nn, pl.optim, pl.data
local Trainer = pl.Trainer

describe("A model with two inputs and a loss of its own", function()
  local Pair = class("Pair", nn.Module)
  function Pair:init()
    self.left, self.right = nn.Linear(2, 4), nn.Linear(3, 4)
    self.head = nn.Linear(4, 1)
  end
  function Pair:forward(a, b)
    return self.head((self.left(a) + self.right(b)):tanh())
  end

  local PairTrainer = class("PairTrainer", Trainer)
  function PairTrainer:calculate_train_batch_loss(batch)
    local prediction = self.model(batch[1], batch[2])
    local error_size = (prediction - batch[3]):abs()
    return { loss = error_size:mean(), model_outputs = prediction, batch_size = batch[1]:size(1) }
  end
  PairTrainer.calculate_eval_batch_loss = PairTrainer.calculate_train_batch_loss

  it("trains in a subclass of Trainer", function()
    pl.manual_seed(11)
    local a, b = pl.randn(64, 2), pl.randn(64, 3)
    local target = a:sum(2):reshape(64, 1) - b:mean(2):reshape(64, 1)
    local model = Pair()
    local trainer = PairTrainer{ model = model, quiet = true,
      optimizer = optim.SGD(model:parameters(), { lr = 0.05, momentum = 0.9 }) }
    local set = data.TensorDataset(a, b, target)
    local history = trainer:train{ train_dataset = set, eval_dataset = set, num_epochs = 20 }
    local losses = history:get_metric_values("eval_loss_epoch")
    assert.is_true(losses[20] < losses[1] / 3, losses[1] .. " " .. losses[20])
  end)
end)

describe("A layer whose gradient is written in Lua", function()
  local Swish = class("Swish", pl.Function)
  function Swish.forward(_, ctx, x)
    ctx:save(x)
    return x * x:sigmoid()
  end
  function Swish.backward(_, ctx, grad)
    local x = ctx:saved()
    local s = x:sigmoid()
    return grad * (s + x * s * (1 - s))
  end

  local Layer = class("Layer", nn.Module)
  function Layer.forward(_, x) return Swish()(x) end

  it("trains, with the numbers of the layer made of ops", function()
    local function losses(activation)
      pl.manual_seed(13)
      local model = nn.Sequential{ nn.Linear(3, 8), activation, nn.Linear(8, 1) }
      local x = pl.randn(32, 3)
      local trainer = Trainer{ model = model, loss_func = nn.MSELoss(), quiet = true,
        optimizer = optim.SGD(model:parameters(), { lr = 0.1 }) }
      local set = data.TensorDataset(x, x:square():sum(2):reshape(32, 1))
      return trainer:train{ train_dataset = set, num_epochs = 5 }
        :get_metric_values("train_loss_epoch")
    end
    local mine, builtin = losses(Layer()), losses(nn.SiLU())
    assert.is_true(mine[5] < mine[1])
    for i = 1, 5 do assert.is_near(builtin[i], mine[i], 1e-4) end
  end)
end)
