-- Schedulers against PyTorch's values, update by update (golden.lua, written by make_golden.py).

local pl = require "perilune"
local golden = require "tests.schedulers.golden"
local S = pl.schedulers

local function make_optimizer(kind)
  local function leaf() return pl.zeros({ 1 }, { requires_grad = true }) end
  return pl.optim[kind or "SGD"]({ { params = { leaf() } }, { params = { leaf() }, lr = 0.2 } },
    { lr = 0.5, momentum = (kind or "SGD") == "SGD" and 0.9 or nil })
end

local function same(expected, got, what)
  if math.abs(expected - got) > 1e-12 * math.max(1e-3, math.abs(expected)) then
    error(("%s: got %.17g, expected %.17g"):format(what, got, expected))
  end
end

local function check_groups(optimizer, row, n)
  for g, group in ipairs(optimizer.param_groups) do
    same(row.values[g][n], group.lr, ("update %d, group %d"):format(n, g))
    if row.momentum then
      local momentum = group.betas and group.betas[1] or group.momentum
      same(row.momentum[g][n], momentum, ("momentum of update %d, group %d"):format(n, g))
    end
  end
end

describe("schedulers agree with PyTorch:", function()
  for _, walk in ipairs(golden.walks) do
    it(walk.name, function()
      local optimizer = make_optimizer(walk.optimizer)
      local scheduler = walk.make(S, optimizer)
      for n = 1, #walk.values[1] do
        check_groups(optimizer, walk, n)
        scheduler:step()
      end
    end)

    it(walk.name .. " from a state in the middle", function()
      local optimizer = make_optimizer(walk.optimizer)
      local scheduler = walk.make(S, optimizer)
      for _ = 1, 10 do scheduler:step() end
      local optimizer_state, state = optimizer:state_dict(), scheduler:state_dict()
      optimizer = make_optimizer(walk.optimizer)
      scheduler = walk.make(S, optimizer)
      scheduler:load_state_dict(state)
      optimizer:load_state_dict(optimizer_state)
      for n = 11, #walk.values[1] do
        check_groups(optimizer, walk, n)
        scheduler:step()
      end
    end)
  end
end)

describe("ReduceLROnPlateau agrees with PyTorch:", function()
  for _, row in ipairs(golden.plateaus) do
    it(row.name, function()
      local optimizer = make_optimizer()
      local scheduler = S.ReduceLROnPlateau(optimizer, row.options)
      for n, metric in ipairs(row.metrics) do
        if n == 9 then
          local state = scheduler:state_dict()
          scheduler = S.ReduceLROnPlateau(optimizer)
          scheduler:load_state_dict(state)
        end
        scheduler:step(metric)
        scheduler:step()
        check_groups(optimizer, row, n)
      end
    end)
  end
end)

describe("CosineLrScheduler", function()
  for i, row in ipairs(golden.cosine) do
    it("has the values it should, options " .. i, function()
      local optimizer = make_optimizer()
      local scheduler = S.CosineLrScheduler(optimizer, 5, 5, row.options)
      for n = 1, #row.values[1] do
        check_groups(optimizer, row, n)
        scheduler:step()
      end
    end)
  end
end)

describe("WSDLrScheduler", function()
  for i, row in ipairs(golden.wsd) do
    it("has the values it should, options " .. i, function()
      local optimizer = make_optimizer()
      local scheduler = S.WSDLrScheduler(optimizer, row.options)
      assert.are.same(row.checkpoints, scheduler:get_checkpoint_steps())
      for n = 1, #row.values[1] do
        check_groups(optimizer, row, n)
        scheduler:step()
      end
    end)
  end
end)
