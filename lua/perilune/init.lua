--- Perilune: train neural networks from Lua. `local pl = require "perilune"`.
-- Submodules (pl.nn, pl.optim, pl.data, pl.Trainer, ...) load when first read; methods of tensors
-- are functions too, pl.matmul(a, b), and pl.float32 and its like name dtypes; reading a name that
-- does not exist is an error with "did you mean".

local attributes = require "perilune.attributes"
local errors = require "perilune.errors"
local suggest = require "perilune.suggest"
local engine = require "perilune.engine"
local context = require "perilune.context"
local create = require "perilune.create"
local random = require "perilune.random"
local tensor = require "perilune.tensor"

local pl = {
  version = engine.version,
  is_tensor = tensor.is_tensor,
  scope = context.scope,
  no_grad = context.no_grad,
  enable_grad = context.enable_grad,
  autocast = context.autocast,
  detect_anomaly = context.detect_anomaly,
  use_deterministic_algorithms = context.use_deterministic_algorithms,
  set_default_device = context.set_default_device,
  get_default_device = context.get_default_device,
  synchronize = engine.synchronize,
  manual_seed = random.manual_seed,
  initial_seed = random.initial_seed,
}

for name, f in pairs(create) do pl[name] = f end

--- Time f(...): a profile with `table()` and `export_chrome_trace(path)`, then what f returns.
function pl.profile(f, ...)
  return require("perilune.profile").take(f, ...)
end

--- Undeclared globals: pl.strict(false) ends the check that `perilune` scripts run under.
function pl.strict(flag)
  local strict = require "perilune.strict"
  if flag == false then strict.off() else strict.on() end
end

local modules = {
  nn = "perilune.nn", optim = "perilune.optim", data = "perilune.data",
  callbacks = "perilune.callbacks", metrics = "perilune.metrics",
  schedulers = "perilune.schedulers", finetuning = "perilune.finetuning",
  ModelEma = "perilune.model_ema", GradScaler = "perilune.grad_scaler",
  Accelerator = "perilune.accelerator", accelerators = "perilune.accelerators",
  LuaAccelerator = "perilune.lua_accelerator",
  Strategy = "perilune.strategy", strategies = "perilune.strategies",
  Precision = "perilune.precision", precisions = "perilune.precisions",
  Trainer = "perilune.trainer", Function = "perilune.function", class = "perilune.class",
  engine = "perilune.engine", errors = "perilune.errors", check = "perilune.check",
  ops = "perilune.ops", json = "perilune.json", context = "perilune.context",
  random = "perilune.random", RunHistory = "perilune.run_history",
  InMemoryRunHistory = "perilune.in_memory_run_history",
  Profile = "perilune.profile",
  safetensors = "perilune.safetensors", Interval = "perilune.interval",
  recipe = "perilune.recipe", einsum = "perilune.einsum",
}

local function all_names()
  local names = tensor.names()
  for known in pairs(pl) do names[#names + 1] = known end
  for known in pairs(modules) do names[#names + 1] = known end
  return names
end

local function index(_, name)
  local module = modules[name]
  if module then
    local value = require(module)
    rawset(pl, name, value)
    return value
  end
  local found = attributes.dtype_synonyms[name] or tensor.method(name)
  if found then
    rawset(pl, name, found)
    return found
  end
  errors.raise("argument", ("pl has no '%s'%s"):format(tostring(name),
    suggest.hint(tostring(name), all_names())), { argument = tostring(name) })
end

return setmetatable(pl, { __index = index, __names = all_names })
