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
    assert.are.equal("P5\n224 224\n255\n", image:sub(1, 15))
    assert.are.equal(15 + 224 * 224, #image)
  end)

  it("lets kl grow while its weight is small", function()
    local heavy = support.results("vae", small:gsub("16", "1"))
    local light = support.results("vae", small:gsub("16", "1000000"))
    assert.is_true(light.train_kl[2] > 2 * heavy.train_kl[2])
  end)
end)
