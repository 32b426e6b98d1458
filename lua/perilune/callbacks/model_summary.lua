--- Prints what the model is made of when a training run starts: its modules down to a depth, their
-- classes and how many parameters they have, shared ones counted once.

local class = require "perilune.class"
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local ModelSummary = class("ModelSummary", TrainerCallback)

ModelSummary.options = {
  { "max_depth", 1, type = "integer", min = 0, doc = "how far below the model to look" },
}

local function counts(module)
  local all, trainable = 0, 0
  for _, parameter in ipairs(module:parameters()) do
    local n = parameter:numel()
    all = all + n
    if parameter.requires_grad then trainable = trainable + n end
  end
  return all, trainable
end

-- 1234567 -> "1,234,567"
local function grouped(n)
  local text = ("%d"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

local function depth_of(name)
  return name == "" and 0 or select(2, name:gsub("%.", "")) + 1
end

local function rows_of(model, max_depth)
  local rows = { { "name", "class", "parameters" } }
  for name, module in model:named_modules() do
    local depth = depth_of(name)
    if depth > 0 and depth <= max_depth then
      rows[#rows + 1] = { name, class.name_of(module), grouped((counts(module))) }
    end
  end
  return rows
end

--- The text that is printed.
function ModelSummary:text(model)
  local rows, widths, lines = rows_of(model, self.max_depth), { 0, 0, 0 }, {}
  for _, row in ipairs(rows) do
    for i = 1, 3 do widths[i] = math.max(widths[i], #row[i]) end
  end
  local form = ("%%-%ds  %%-%ds  %%%ds"):format(widths[1], widths[2], widths[3])
  if #rows > 1 then
    for _, row in ipairs(rows) do lines[#lines + 1] = form:format(row[1], row[2], row[3]) end
  end
  local all, trainable = counts(model)
  lines[#lines + 1] = ("%s: %s parameters, %s of them trainable"):format(class.name_of(model),
    grouped(all), grouped(trainable))
  return table.concat(lines, "\n")
end

function ModelSummary:on_training_run_start(trainer)
  trainer:print(self:text(trainer.model))
end

return ModelSummary
