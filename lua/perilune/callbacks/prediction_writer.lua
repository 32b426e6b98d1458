--- Writes the outputs of predict to a CSV file, one line per sample, batch by batch; the file is
-- there when it is whole. As in all files samples, columns and classes count from 0, and the header
-- says so.

local class = require "perilune.class"
local errors = require "perilune.errors"
local atomic_file = require "perilune.atomic_file"
local is_tensor = require("perilune.tensor").is_tensor
local TrainerCallback = require "perilune.callbacks.trainer_callback"

local PredictionWriter = class("PredictionWriter", TrainerCallback)

PredictionWriter.options = {
  { "path", type = "string", required = true, doc = "the file" },
  { "columns", "outputs", choices = { "outputs", "class" },
    doc = "all outputs of a sample, or the position of the largest, its class" },
}

--- A file that cannot be written is known before the training, not after it.
function PredictionWriter:on_training_run_start(trainer)
  if trainer.process_group:is_main() then atomic_file.check(self.path) end
end

function PredictionWriter:on_predict_run_start(trainer)
  self.samples, self.width = 0, nil
  self.writer = trainer.process_group:is_main() and atomic_file.open(self.path) or nil
end

local function check_outputs(self, outputs)
  local rank = is_tensor(outputs) and outputs:dim() or 0
  if rank < 1 or rank > 2 then
    errors.raise("user", "PredictionWriter writes tensors of samples, or of samples x columns; "
      .. "write others in on_predict_step_end(trainer, batch, outputs, step)")
  end
  if self.columns == "class" and rank == 1 then
    errors.raise("user", "PredictionWriter: columns = \"class\" needs outputs of samples x "
      .. "classes, got one number for each sample")
  end
  local width = rank == 2 and outputs:size(2) or 1
  if self.width and self.width ~= width then
    errors.raise("user", ("PredictionWriter: this batch has %d columns, those before had %d")
      :format(width, self.width))
  end
end

local function header(columns, width)
  if columns == "class" then return "sample_from_0,class_from_0" end
  local names = { "sample_from_0" }
  for i = 1, width do names[i + 1] = "output_" .. i - 1 end
  return table.concat(names, ",")
end

-- As many digits as the dtype holds.
local function value_text(value, dtype)
  if type(value) ~= "number" then return (tostring(value):gsub("LL$", "")) end
  if value ~= value then return "nan" end
  if not dtype:find("f") then return ("%d"):format(value) end
  return (dtype == "f64" and "%.17g" or "%.9g"):format(value)
end

local function row_text(row, dtype)
  if type(row) ~= "table" then return value_text(row, dtype) end
  local texts = {}
  for i, value in ipairs(row) do texts[i] = value_text(value, dtype) end
  return table.concat(texts, ",")
end

function PredictionWriter:on_predict_step_end(_, _, outputs)
  check_outputs(self, outputs)
  local lines = {}
  if not self.width then
    self.width = outputs:dim() == 2 and outputs:size(2) or 1
    lines[1] = header(self.columns, self.width)
  end
  local columns = self.columns == "class" and outputs:argmax(-1) - 1 or outputs:detach()
  local dtype = columns.dtype
  for _, row in ipairs(columns:totable()) do
    lines[#lines + 1] = ("%d,%s"):format(self.samples, row_text(row, dtype))
    self.samples = self.samples + 1
  end
  lines[#lines + 1] = ""
  if self.writer then self.writer:write(table.concat(lines, "\n")) end
end

function PredictionWriter:on_predict_run_end()
  if self.writer then self.writer:commit() end
  self.writer = nil
end

--- A prediction that failed leaves no file.
function PredictionWriter:on_teardown()
  if self.writer then self.writer:discard() end
  self.writer = nil
end

return PredictionWriter
