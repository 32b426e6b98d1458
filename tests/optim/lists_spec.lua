-- Steps over lists of tensors of many sizes: every element is met exactly once, whatever the
-- sizes, the dtype and the number of threads.

local pl = require "perilune"
local engine = require "perilune.engine"
local ops = require "perilune.ops"

-- Whole pieces, one more and one less; tiny ones between large ones; none.
local sizes = { 100352, 128, 8192, 16384, 16383, 1, 65537, 10, 0, 300007, 24, 16385, 8191 }

local function filled(value, dtype)
  local list = {}
  for i, size in ipairs(sizes) do list[i] = pl.full({ size }, value, { dtype = dtype }) end
  return list
end

local function all_are(list, value)
  for i, t in ipairs(list) do
    if t:numel() > 0 then
      local least, most = t:min():item(), t:max():item()
      assert(least == value and most == value,
        ("tensor %d (%d elements): %g to %g, not %g"):format(i, sizes[i], least, most, value))
    end
  end
end

describe("lists of tensors", function()
  local before = engine.threads()
  after_each(function() engine.set_threads(before) end)

  for threads = 1, 3 do
    for _, dtype in ipairs { "f32", "f64", "bf16" } do
      local function case(name, f)
        it(("%s of %s with %d threads"):format(name, dtype, threads), function()
          engine.set_threads(threads)
          pl.scope(f)
        end)
      end

      local function stepped(optimizer, steps)
        local params = filled(2, dtype)
        for i, p in ipairs(params) do params[i] = pl.nn.Parameter(p) end
        local made = optimizer(params)
        for _ = 1, steps do
          for i, grad in ipairs(filled(1, dtype)) do params[i].grad = grad end
          made:step()
        end
        return params
      end

      case("SGD", function()
        all_are(stepped(function(p) return pl.optim.SGD(p, { lr = 0.5, momentum = 0.5 }) end, 2),
          0.75)
      end)

      -- The first of these steps are lr for any constant gradient, to the last digits of f32.
      for _, name in ipairs { "Adam", "RMSprop" } do
        case(name, function()
          local lr = name == "Adam" and 0.5 or 0.05      -- RMSprop's first is lr / sqrt(1 - alpha)
          local params = stepped(function(p)
            return pl.optim[name](p, { lr = lr, eps = 1e-30 })
          end, 1)
          for i, p in ipairs(params) do
            if p:numel() > 0 then
              assert.is_near(1.5, p:min():item(), 1e-6, "smallest of tensor " .. i)
              assert.is_near(1.5, p:max():item(), 1e-6, "largest of tensor " .. i)
            end
          end
        end)
      end

      case("total_norm", function()
        local sum = 0
        for _, size in ipairs(sizes) do sum = sum + size end
        local norm = ops.call("total_norm", { filled(3, dtype) }):item()
        assert.is_near(1, norm / (3 * math.sqrt(sum)), dtype == "bf16" and 1e-2 or 1e-6)
      end)

      case("scale_all", function()
        local list = filled(3, dtype)
        ops.call("scale_all", { list, pl.scalar(0.5) })
        all_are(list, 1.5)
      end)

      case("lerp_all", function()
        local list = filled(4, dtype)
        ops.call("lerp_all", { list, filled(2, dtype), pl.scalar(0.25) })
        all_are(list, 3.5)
      end)
    end
  end
end)
