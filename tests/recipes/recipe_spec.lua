-- What recipes share, and the page that says which example each of them is.
local lfs = require "lfs"
local pl = require "perilune"

local page = "docs/examples.md"

local function names_in(text)
  local names = {}
  for name in text:gmatch("recipes/([%w_]+)%.lua") do names[name] = true end
  return names
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

local function files(folder, pattern)
  local names = {}
  for entry in lfs.dir(folder) do
    local name = entry:match(pattern)
    if name then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

describe("docs/examples.md", function()
  local named = names_in(read(page))

  it("names every recipe, and none that does not exist", function()
    for _, name in ipairs(files("recipes", "^(.*)%.lua$")) do
      assert(named[name], ("%s has no row for %s"):format(page, name))
      named[name] = nil
    end
    assert.are.same({}, named)
  end)

  it("has a row for every example of pytorch-accelerated", function()
    local text = read(page)
    for _, example in ipairs{ "core/train_mnist.py", "core/train_with_metrics_in_callback.py",
      "core/train_with_metrics_in_loop.py", "core/custom_callback_event.py",
      "nlp/hf_bert_glue_mrpc.py", "vision/transfer_learning/pytorch_tutorial_finetune.py",
      "vision/transfer_learning/pets_finetune.py",
      "vision/transfer_learning/progressive_resizing.py",
      "vision/using_timm_components/all_timm_components.py",
      "vision/using_timm_components/train_mixup_ema.py", "vision/faster_rcnn/train_cars.py" } do
      assert.truthy(text:find("| `" .. example .. "` |", 1, true), example .. " has no row")
    end
  end)
end)

describe("Every recipe", function()
  for _, name in ipairs(files("recipes", "^(.*)%.lua$")) do
    it(name .. " says its command, hardware, time and expected number, and has a spec", function()
      local head = read("recipes/" .. name .. ".lua"):match("^(%-%-.-)\n[^-]")
      for _, field in ipairs{ "command", "hardware", "time", "expect" } do
        assert.truthy(head:find("\n%-%-   " .. field .. " +%S"), field)
      end
      assert.truthy(head:find("build/perilune recipes/" .. name .. ".lua", 1, true))
      assert.truthy(lfs.attributes("tests/recipes/" .. name .. "_spec.lua"), "no spec")
    end)
  end
end)

describe("recipe.options", function()
  local given

  before_each(function() given = _G.arg end)
  after_each(function() _G.arg = given end)

  local function parse(...)
    _G.arg = { [0] = "a.lua", ... }
    return pl.recipe.options("Does it.", { { "epochs", 3 }, { "lr", 0.5, doc = "rate" } })
  end

  it("joins a recipe's options with the common ones", function()
    local options = parse("--epochs", "5", "--seed", "7", "--quiet")
    assert.are.same({ 5, 0.5, true }, { options.epochs, options.lr, options.quiet })
    assert.are.equal(7, tonumber(pl.initial_seed()))
    assert.are.equal(3, parse().epochs)
  end)

  it("checks a common option whose default it replaces", function()
    local ok, err = pcall(parse, "--epochs", "0")
    assert.is_false(ok)
    assert.truthy(tostring(err):find("'--epochs' must be an integer >= 1, got 0", 1, true))
  end)

  it("picks the samples of some classes, the first ones of each", function()
    local labels = { 3, 1, 2, 1, 3, 1 }
    local set = pl.data.TensorDataset(pl.arange(1, 6), pl.tensor(labels, { dtype = "i64" }))
    function set:targets() return pl.tensor(labels, { dtype = "i64" }) end
    local function picked(...)
      local list, subset = {}, pl.recipe.of_classes(set, ...)
      for i = 1, subset:size() do list[i] = subset:index(i) end
      return list
    end
    assert.are.same({ 1, 2, 4, 5, 6 }, picked{ 3, 1 })
    assert.are.same({ 2, 3, 4 }, picked({ 1, 2 }, 2))
  end)

  it("limits a dataset to its first samples", function()
    local set = pl.data.TensorDataset(pl.arange(1, 5))
    assert.are.equal(set, pl.recipe.limited(set, nil))
    assert.are.equal(set, pl.recipe.limited(set, 5))
    local first = pl.recipe.limited(set, 2)
    assert.are.equal(2, first:size())
    assert.are.equal(2, first:get(2):item())
  end)
end)
