--- pl.callbacks: every callback in a file of its own, found by name.

local callbacks = require("perilune.lazy")("perilune.callbacks", {
  TerminateOnNaNCallback = "terminate_on_nan_callback",
})

--- The callbacks of a Trainer that is given none, in order.
-- @param progress_bar false leaves the progress bar out
-- @return a list of instances
function callbacks.get_default_callbacks(progress_bar)
  local names = {
    "MoveModulesToDeviceCallback", "TerminateOnNaNCallback", "PrintProgressCallback",
    "ProgressBarCallback", "LogMetricsCallback",
  }
  local list = {}
  for _, name in ipairs(names) do
    if name ~= "ProgressBarCallback" or progress_bar ~= false then
      list[#list + 1] = callbacks[name]()
    end
  end
  return list
end

return callbacks
