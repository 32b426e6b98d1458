--- What a run was started with: a table that cannot be changed, and in which an unknown name is an
-- error. Counts are in optimizer updates, the same on every rank.

local errors = require "perilune.errors"
local suggest = require "perilune.suggest"

local fields = {
  "num_epochs", "max_updates", "dry_run",
  "train_per_device_batch_size", "train_dl_kwargs", "train_total_batch_size",
  "eval_per_device_batch_size", "eval_dl_kwargs", "eval_total_batch_size",
  "gradient_accumulation_steps", "gradient_clip_value", "gradient_clip_norm",
  "num_update_steps_per_epoch", "num_local_update_steps_per_epoch",
  "is_local_process_zero", "is_world_process_zero", "is_distributed", "num_processes",
  "mixed_precision", "seed",
}
local known = {}
for _, name in ipairs(fields) do known[name] = true end

local function unknown(name)
  errors.raise("argument", ("run_config has no field %q%s")
    :format(tostring(name), suggest.hint(name, fields)), { argument = "run_config" })
end

local function copy(value)
  if type(value) ~= "table" or getmetatable(value) then return value end
  local out = {}
  for key, item in next, value do out[key] = item end
  return out
end

--- A frozen run config.
-- @param values the fields; one that is absent or false reads as nil
-- @return a table whose fields can be read, and `:to_table()`, also called
--   `to_dict`, for a plain copy of all of them
return function(values)
  for name in next, values do
    if not known[name] then unknown(name) end
  end
  local function to_table()
    local out = {}
    for _, name in ipairs(fields) do out[name] = copy(values[name]) end
    return out
  end
  return setmetatable({}, {
    __index = function(_, name)
      if name == "to_table" or name == "to_dict" then return to_table end
      if not known[name] then unknown(name) end
      return copy(values[name])
    end,
    __tostring = function()
      local lines = {}
      for _, name in ipairs(fields) do
        local value = values[name]
        if value ~= nil and type(value) ~= "table" then
          lines[#lines + 1] = ("  %s = %s"):format(name, tostring(value))
        end
      end
      return "run_config(\n" .. table.concat(lines, "\n") .. ")"
    end,
    __newindex = function(_, name)
      errors.raise("user", ("run_config cannot be changed (%s)"):format(tostring(name)))
    end,
  })
end
