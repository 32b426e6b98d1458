-- The autoencoder, a few updates of it.
local process = require "tests.host.process"
local support = require "tests.recipes.support"

describe("recipes/vae.lua", function()
  local small = "--epochs 2 --limit 512 --batch-size 64 --lr 0.005 --warmup 16 --seed 1 --quiet "

  it("tracks both losses by name and lowers their sum", function()
    local path = os.tmpname()
    local result = support.results("vae", small .. "--images " .. path)
    assert.is_true(result.train_reconstruction[2] < result.train_reconstruction[1])
    assert.is_true(result.test_loss < 550)
    assert.is_true(result.test_kl > 0)
    assert.is_true(math.abs(result.test_reconstruction + result.test_kl - result.test_loss) < 1e-3)
    local image = process.read(path)
    os.remove(path)
    assert.is_true(select(2, image:gsub("%z", "")) < 0.1 * #image, "most pixels are black")
    assert.are.equal("P5\n224 224\n255\n", image:sub(1, 15))
    assert.are.equal(15 + 224 * 224, #image)
  end)

  it("lets kl grow while its weight is small", function()
    local heavy = support.results("vae", small:gsub("16", "1"))
    local light = support.results("vae", small:gsub("16", "1000000"))
    assert.is_true(light.train_kl[2] > 2 * heavy.train_kl[2])
    assert.is_true(
      math.abs(light.test_reconstruction + light.test_kl - light.test_loss) < 1e-3)
  end)

  it("draws the code around its mean, and measures how far from the normal one it lies", function()
    local seen = support.observed("vae", small, [[
      function watch:on_training_run_start(trainer)
        local model, n = trainer.model, 500
        pl.no_grad(function()
          for _, layer in ipairs{ model.mean, model.log_variance } do layer.weight:fill_(0) end
          model.mean.bias:fill_(3)
          model.log_variance.bias:fill_(math.log(0.25))
          local images, decoder = pl.rand(n, 1, 28, 28), model.decoder
          local output = trainer:calculate_eval_batch_loss{ images }
          for _, loss in ipairs(output.losses) do
            local name, value = unpack(loss)
            seen[name] = value:item()
          end
          model.decoder = pl.nn.Flatten()
          local code = model(images)
          seen.mean, seen.deviation = code:mean():item(), code:std():item()
          model.decoder = decoder
        end)
      end
    ]])
    assert.is_near(3, seen.mean, 0.05)
    assert.is_near(0.5, seen.deviation, 0.05)
    assert.is_near(20 * (9 + 0.25 - math.log(0.25) - 1) / 2, seen.kl, 1e-3)
  end)
end)
