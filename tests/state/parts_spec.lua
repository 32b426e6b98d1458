-- What a training state holds beside the run itself: what users add, what belongs to the loss, and
-- which parts of a model learn.

package.path = "./tests/host/?.lua;./tests/state/?.lua;" .. package.path
local pl = require "perilune"
local process = require "process"
local support = require "support"
local class, data, nn, optim = pl.class, pl.data, pl.nn, pl.optim

local entries, fails = support.entries, support.fails

local function small(options)
  options = options or {}
  options.model = options.model or nn.Linear(3, 1)
  options.loss_func = nn.MSELoss()
  options.optimizer = optim.SGD(options.model:parameters(), { lr = 0.1, momentum = 0.9 })
  options.callbacks, options.quiet = options.callbacks or {}, true
  return pl.Trainer(options)
end

local function dataset(n)
  return data.TensorDataset(pl.randn(n, 3), pl.randn(n, 1))
end

describe("training states", function()
  local folder
  before_each(function() folder = process.folder() end)
  after_each(function() process.remove(folder) end)

  it("hold what users register, and list what is missing or left over", function()
    local function keeper(value)
      return { value = value, state_dict = function(self) return { value = self.value } end,
        load_state_dict = function(self, state) self.value = state.value end }
    end
    local Mine = class("Mine", pl.Trainer)
    function Mine:state_dict() return { mine = self.mine } end
    function Mine:load_state_dict(state) self.mine = state.mine end
    local model = nn.Linear(3, 1)
    local function make(class_of)
      return class_of{ model = model, callbacks = {}, quiet = true,
        optimizer = optim.SGD(model:parameters(), { lr = 0.1 }) }
    end
    local first = make(Mine)
    first.mine = 5
    first:register_state("kept", keeper(1 / 3))
    first:register_state("gone", keeper(2))
    first:save_training_state(folder .. "/s")
    local second = make(Mine)
    local kept = second:register_state("kept", keeper(0))
    second:register_state("new", keeper(7))
    local problems = second:load_training_state(folder .. "/s")
    assert.are.equal(1 / 3, kept.value)
    assert.are.equal(5, second.mine)
    assert.are.same({ "the state has a registered object 'gone', this trainer none",
      "the state has nothing for the registered object 'new'" }, problems)
    fails("argument", "'kept' is taken", second.register_state, second, "kept", keeper(1))
    fails("argument", "needs state_dict", second.register_state, second, "x", {})
  end)

  it("refuse state that has no name or cannot be said", function()
    local stateful = { state_dict = function() return {} end, load_state_dict = function() end }
    local trainer = small{ callbacks = { stateful } }
    fails("user", "needs a `name`", trainer.save_training_state, trainer, folder .. "/s")
    trainer = small{}
    trainer.scheduler = { step = function() end }
    fails("user", "the scheduler has no state_dict", trainer.save_training_state, trainer,
      folder .. "/s")
    trainer.scheduler = nil
    trainer:register_state("f", { state_dict = function() return { print } end,
      load_state_dict = function() end })
    fails("argument", "'state.registered.f.1' is a function", trainer.save_training_state, trainer,
      folder .. "/s")
    assert.are.same({}, entries(folder))
  end)

  it("hold the parameters of a loss, and losses by name in the middle of an epoch", function()
    local Scaled, Twice = class("Scaled", nn.Module), class("Twice", pl.Trainer)
    function Scaled:init()
      nn.Module.init(self)
      self.scale = nn.Parameter(pl.ones(1))
    end
    function Scaled:forward(y, target) return ((y - target) * self.scale):square():mean() end
    function Twice:calculate_train_batch_loss(batch)
      local output = pl.Trainer.calculate_train_batch_loss(self, batch)
      output.losses = { { "double", output.loss * 2 } }
      return output
    end
    local set = dataset(20)
    local function run(seed, from)
      pl.manual_seed(seed)
      local model, loss = nn.Linear(3, 1), Scaled()
      local trainer = Twice{ model = model, loss_func = loss, quiet = true,
        optimizer = optim.SGD({ model.weight, model.bias, loss.scale }, { lr = 0.1 }),
        callbacks = { { on_train_step_end = function(_, t)
          if t.update == 2 then t:save_training_state(folder .. "/2") end
        end } } }
      local history = trainer:train{ train_dataset = set, num_epochs = 1,
        per_device_batch_size = 5, resume_from = from }
      return { loss.scale:item(), history:get_latest_metric "train_double_epoch" }
    end
    assert.are.same(run(6), run(9, folder .. "/2"))
  end)

  it("bring the history along where they are loaded outside of a run", function()
    local trainer, other = small(), small()
    trainer:train{ train_dataset = dataset(20), num_epochs = 2 }
    trainer:save_training_state(folder .. "/s")
    other:load_training_state(folder .. "/s")
    assert.are.same(trainer.run_history:state_dict(), other.run_history:state_dict())
  end)

  it("say where they come from when numbers may differ", function()
    local trainer = small{ callbacks = { { on_train_step_start = function(_, t)
      if t.update == 2 then t:save_training_state(folder .. "/within", { now = true }) end
    end } } }
    trainer:train{ train_dataset = dataset(8), num_epochs = 1, per_device_batch_size = 4 }
    assert.are.same({ "it was saved in the middle of an update, which is made again" },
      trainer:load_training_state(folder .. "/within"))
    trainer:save_training_state(folder .. "/s")
    local path = folder .. "/s/state.json"
    local text = process.read(path)
    for name, other in pairs{ version = '"0.0.1"', device = '"cuda:0"', level = "9" } do
      process.write(path, (text:gsub(('("%s": )[^,\n]+'):format(name), "%1" .. other)))
      local problems = trainer:load_training_state(folder .. "/s")
      assert.are.equal(1, #problems)
      local said = ("it was saved with %s %s and goes on with"):format(name, other:gsub('"', ""))
      assert.truthy(problems[1]:find(said, 1, true), problems[1])
    end
  end)

  it("keep frozen layers frozen and the modes of modules", function()
    local model = nn.Sequential{ nn.Linear(3, 4), nn.Dropout{ p = 0.5 }, nn.Linear(4, 1) }
    model[1].weight.requires_grad = false
    model[2]:eval()
    small{ model = model }:save_training_state(folder .. "/s")
    model[1].weight.requires_grad = true
    model:train()
    small{ model = model }:load_training_state(folder .. "/s")
    assert.is_false(model[1].weight.requires_grad)
    assert.is_false(model[2].training)
    assert.is_true(model[3].training)
  end)
end)
