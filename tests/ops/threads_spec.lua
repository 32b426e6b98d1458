-- Results do not depend on the number of threads: large calls with one, two and three are equal
-- bit for bit.

local pl = require "perilune"
local engine = require "perilune.engine"

local function random(...) return pl.rand(...):sub(0.5) end

local calls = {
  { "exp", function(x) return x:exp() end },
  { "add, broadcast", function(x) return x:add(x:select(1, 1)) end },
  { "copy of a transpose", function(x) return x:t():contiguous() end },
  { "sum of all", function(x) return x:sum() end },
  { "sum of rows", function(x) return x:sum(1) end },
  { "sum of columns", function(x) return x:sum(2) end },
  { "mean of a transpose", function(x) return x:t():mean(1) end },
  { "max", function(x) return x:max() end },
  { "softmax", function(x) return x:softmax() end },
  { "var", function(x) return x:var(2) end },
  { "matmul", function(x) return x:matmul(x:t()) end },
  { "linear", function(x) return x:linear(x:narrow(1, 1, 64), nil, { activation = "relu" }) end },
  { "cross_entropy", function(x)
    return x:cross_entropy(pl.arange(1, x:size(1)):to("i64"))
  end },
  { "conv2d", function(x)
    return x:reshape(12, 10, 50, 35):conv2d(x:narrow(1, 1, 9):narrow(2, 1, 90):reshape(9, 10, 3, 3),
      nil, { padding = 1, stride = 2 })
  end },
  { "conv_transpose2d", function(x)
    return x:reshape(3, 10, 100, 70):conv_transpose2d(x:narrow(1, 1, 9):narrow(2, 1, 40)
      :reshape(10, 4, 3, 3))
  end },
  { "depthwise conv2d", function(x)
    return x:reshape(12, 10, 50, 35):conv2d(x:select(1, 2):narrow(1, 1, 90):reshape(10, 1, 3, 3),
      nil, { groups = 10 })
  end },
  { "max_pool2d", function(x) return x:reshape(12, 10, 50, 35):max_pool2d(2) end },
  { "batch_norm", function(x)
    local y = x:reshape(12, 10, 50, 35):batch_norm(nil, nil, nil, nil, { training = true })
    return y * y * y
  end },
  { "layer_norm", function(x)
    local y = x:layer_norm(x:select(1, 1))
    return y * y * y
  end },
  { "lstm", function(x)
    local n = x:narrow(1, 1, 64)
    return (x:reshape(5, 60, 700):narrow(3, 1, 256):lstm(n:narrow(1, 1, 60):narrow(2, 1, 64),
      n:narrow(1, 1, 60):narrow(2, 65, 64), x:narrow(1, 1, 256):narrow(2, 1, 64)))
  end },
  { "gru", function(x)
    local n = x:narrow(1, 1, 192)
    return (x:reshape(5, 60, 700):narrow(3, 1, 192):gru(n:narrow(1, 1, 60):narrow(2, 1, 64),
      n:narrow(2, 1, 64), n:narrow(1, 1, 1):narrow(2, 1, 192):flatten()))
  end },
  { "conv2d in bf16", function(x)
    return x:to("bf16"):reshape(12, 10, 50, 35):conv2d(x:to("bf16"):narrow(1, 1, 9)
      :narrow(2, 1, 90):reshape(9, 10, 3, 3), nil, { padding = 1 })
  end },
  { "sum of f16", function(x) return x:to("f16"):sum(1) end },
  { "index_add", function(x)
    local index = pl.arange(1, x:size(1)):to("i64")
    return pl.zeros(x.shape):index_add(x, index, { axis = 1 })
  end },
}

describe("threads", function()
  local before = engine.threads()
  after_each(function() engine.set_threads(before) end)

  for _, call in ipairs(calls) do
    it("do not change " .. call[1], function()
      pl.scope(function()
        pl.manual_seed(3)
        local x, results = random(300, 700):requires_grad_(true), {}
        for n = 1, 3 do
          engine.set_threads(n)
          x.grad = nil
          local y = call[2](x)
          y:sum():backward()
          results[n] = { y:detach(), x.grad }
        end
        for n = 2, 3 do
          assert.is_true(results[1][1]:eq(results[n][1]):all():item(), "value")
          assert.is_true(results[1][2]:eq(results[n][2]):all():item(), "gradient")
        end
      end)
    end)
  end
end)
