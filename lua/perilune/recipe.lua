--- What the scripts in recipes/ share: their command line, a limit for quick looks and the file of
-- their results.

local atomic_file = require "perilune.atomic_file"
local command_line = require "perilune.command_line"
local engine = require "perilune.engine"
local json = require "perilune.json"
local random = require "perilune.random"

local recipe = {}

local common = {
  { "epochs", type = "integer", min = 1, doc = "passes over the training samples" },
  { "seed", type = "integer", min = 0, doc = "seed of all random numbers; drawn if not given" },
  { "threads", type = "integer", min = 1, doc = "threads to compute with" },
  { "data", type = "string", doc = "directory of the data set" },
  { "json", type = "string", doc = "file to write the results to" },
  { "limit", type = "integer", min = 12, doc = "use only so many training and test samples" },
  { "quiet", false, doc = "print nothing but errors" },
}

-- An entry for an option that all recipes have keeps what it does not say itself.
local function completed(entry, known)
  local out = {}
  for key, value in pairs(known) do out[key] = value end
  for key, value in pairs(entry) do out[key] = value end
  return out
end

local function schema_of(own)
  local known, schema, given = {}, {}, {}
  for _, entry in ipairs(common) do known[entry[1]] = entry end
  for i, entry in ipairs(own) do
    schema[i], given[entry[1]] = completed(entry, known[entry[1]] or {}), true
  end
  for _, entry in ipairs(common) do
    if not given[entry[1]] then schema[#schema + 1] = entry end
  end
  return schema
end

--- Read a recipe's command line; seeds the generators and sets the threads as it says. All recipes
-- have --epochs, --seed, --threads, --data, --json, --limit and --quiet.
-- @param summary one line for --help
-- @param own the recipe's own options, and defaults for the common ones: { { "epochs", 8 } }
-- @return a table of values by option name; exits after --help
-- @raise one sentence about a wrong option, or about a file for --json that cannot be written
function recipe.options(summary, own)
  local options = command_line.parse(schema_of(own), _G.arg, summary)
  if options.json then atomic_file.check(options.json) end
  if options.threads then engine.set_threads(options.threads) end
  if options.seed then random.manual_seed(options.seed) end
  return options
end

--- The first samples of a dataset.
-- @param dataset the dataset
-- @param n how many; nil for all of them
function recipe.limited(dataset, n)
  if not n or n >= dataset:size() then return dataset end
  local indices = {}
  for i = 1, n do indices[i] = i end
  return require("perilune.data").Subset(dataset, indices)
end

--- Write grey images side by side, as a PGM that every viewer of images knows.
-- @param path the file
-- @param images n x height x width in [0, 1]
function recipe.write_images(path, images)
  local n, height, width = unpack(images.shape)
  local columns = math.ceil(math.sqrt(n))
  local rows = math.ceil(n / columns)
  local grid = require("perilune.create").zeros{ rows * height, columns * width }
  for i = 0, n - 1 do
    local row, column = math.floor(i / columns), i % columns
    grid[{ { row * height + 1, (row + 1) * height }, { column * width + 1, (column + 1) * width } }]
      :copy_(images[i + 1])
  end
  local text = { ("P5\n%d %d\n255\n"):format(columns * width, rows * height) }
  for i, line in ipairs((grid * 255):round():clamp(0, 255):totable()) do
    text[i + 1] = string.char(unpack(line))
  end
  atomic_file.write(path, table.concat(text))
end

--- The samples of some classes, for recipes that learn some of them first.
-- @param dataset one with `targets()`
-- @param classes list of labels
-- @param n at most so many of each class, the first ones; nil for all of them
function recipe.of_classes(dataset, classes, n)
  local left, indices = {}, {}
  for _, label in ipairs(classes) do left[label] = n or math.huge end
  for i, label in ipairs(dataset:targets():totable()) do
    if (left[label] or 0) > 0 then
      left[label] = left[label] - 1
      indices[#indices + 1] = i
    end
  end
  return require("perilune.data").Subset(dataset, indices)
end

--- Write the file that --json names, if it does: the results, and what they were measured with.
-- @param options what `recipe.options` gave
-- @param results a table of numbers, texts and lists; called at the end, so that the file holds a
--   whole run or is not there
function recipe.write_results(options, results)
  if not options.json then return end
  local all = {
    seed = random.initial_seed(), threads = engine.threads(), perilune_version = engine.version,
    peak_rss_bytes = engine.peak_rss(),
  }
  for name, value in pairs(results) do all[name] = value end
  atomic_file.write(options.json, json.encode(all, { indent = true }) .. "\n")
end

return recipe
