-- The models that rows of the bench train with SGD with momentum (most 784-128-64-10, ReLU, as in
-- recipes/fashion_mnist.lua; else a convnet), and the training step, with cross-entropy.

local pl = require "perilune"
local context = require "perilune.context"
local nn, optim = pl.nn, pl.optim

local classifier = {}

function classifier.new()
  pl.manual_seed(0)
  local model = nn.Sequential{
    nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10),
  }
  return model, optim.SGD(model:parameters(), { lr = 0.001, momentum = 0.9 })
end

local function conv(from, to)
  return nn.Sequential{ nn.Conv2d(from, to, 3, { padding = 1 }), nn.BatchNorm2d(to), nn.ReLU() }
end

--- Two blocks of two 3x3 convolutions with batch norm and ReLU, each block pooled, then 128 units.
function classifier.convnet()
  pl.manual_seed(0)
  local model = nn.Sequential{
    conv(1, 32), conv(32, 32), nn.MaxPool2d(2), conv(32, 64), conv(64, 64), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10),
  }
  return model, optim.SGD(model:parameters(), { lr = 0.001, momentum = 0.9 })
end

--- n batches of `size` (32) random images and labels in memory.
function classifier.random_batches(n, size)
  size = size or 32
  local batches = {}
  for i = 1, n do
    batches[i] = { pl.rand(size, 1, 28, 28):keep(), pl.randint(1, 10, { size }):keep() }
  end
  return batches
end

local function step(model, optimizer, loss_func, batch)
  optimizer:zero_grad()
  loss_func(model(batch[1]), batch[2]):backward()
  optimizer:step()
end

--- A function that does n training steps in a plain loop over batches.
function classifier.loop(model, optimizer, batches)
  local loss_func, scope, at = nn.CrossEntropyLoss(), context.Scope(), 0
  return function(n)
    for _ = 1, n do
      at = at % #batches + 1
      scope:enter()
      step(model, optimizer, loss_func, batches[at])
      scope:close()
    end
  end
end

--- A function that does the training steps of one pass over a loader in a plain loop.
function classifier.loader_loop(model, optimizer, loader)
  local loss_func, scope = nn.CrossEntropyLoss(), context.Scope()
  return function()
    for batch in loader:batches() do
      scope:enter()
      step(model, optimizer, loss_func, batch)
      scope:close()
    end
  end
end

return classifier
