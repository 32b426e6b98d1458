-- The two models, a few updates of each.
local process = require "tests.host.process"
local support = require "tests.recipes.support"

-- Which models a loss has gradients for, and whether a run moves both.
local flow = [[
local function reached(model)
  for _, p in ipairs(model:parameters()) do
    if p.grad and p.grad:abs():sum():item() > 0 then return true end
  end
  return false
end
local first = {}
function watch:on_training_run_start(trainer)
  local model = trainer.model
  if not model.generator then return end
  for i, name in ipairs{ "discriminator", "generator" } do
    local output = trainer:calculate_train_batch_loss{ pl.rand(4, 1, 28, 28) }
    output.losses[i][2]:backward()
    seen[name] = { generator = reached(model.generator),
      discriminator = reached(model.discriminator) }
    model:zero_grad()
    first[name] = model[name]:parameters()[1]:detach():clone():keep()
  end
end
function watch:on_training_run_end(trainer)
  local model = trainer.model
  if not model.generator then return end
  for name, weight in pairs(first) do
    seen[name].moved = not same(weight, model[name]:parameters()[1])
  end
end
]]

describe("recipes/gan.lua", function()
  it("trains both models and scores what the generator makes", function()
    local result = support.results("gan", "--epochs 2 --limit 500 --batch-size 10 --seed 1 --quiet")
    assert.is_true(result.score >= 1 and result.score < result.real_score)
    assert.is_true(result.real_score > 1.5 and result.real_score <= 10)
    assert.are.equal(2, #result.discriminator_loss)
    assert.are.equal(2, #result.generator_loss)
    assert.is_true(result.discriminator_loss[1] < math.log(2))
    assert.is_true(result.generator_loss[1] > math.log(2))
  end)

  it("has each model learn from its own loss alone, and draws what the generator makes", function()
    local path = os.tmpname()
    local seen = support.observed("gan",
      "--epochs 2 --limit 300 --batch-size 10 --seed 1 --quiet --images " .. path, flow)
    assert.are.same({ generator = false, discriminator = true, moved = true }, seen.discriminator)
    assert.are.same({ generator = true, discriminator = false, moved = true }, seen.generator)
    local image = process.read(path)
    os.remove(path)
    local sum = 0
    for i = 16, #image do sum = sum + image:byte(i) end
    assert.are.equal(15 + 224 * 224, #image)
    assert.is_true(sum / (224 * 224) < 110, "the images are as bright as noise")
  end)
end)
