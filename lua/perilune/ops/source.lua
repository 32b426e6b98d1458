--- The source of a row's Lua function: one straight path per op, which LuaJIT compiles whole. The
-- names in it are the environment that ops.lua gives the chunk.

local source = {}

--- So many attributes may be given by position.
source.MAX_ATTRIBUTES = 10

local function attribute_parameters()
  local names = {}
  for i = 1, source.MAX_ATTRIBUTES do names[i] = "a" .. i end
  return table.concat(names, ", ")
end
local spread = attribute_parameters()

--- Source that puts input i's handle into the buffer. An optional input's place may hold the table
-- of attributes instead: then everything moves up.
local function input_source(row, i)
  local input = row.inputs[i]
  return ("if getmetatable(x%d) == Tensor then buffer[%d] = x%d._h else buffer[%d] ="
    .. " not_a_tensor(x%d, %q, %q, %s) end"):format(i, i - 1, i, i - 1, i, row.name, input.name,
    tostring(input.optional))
end

local function names_of_inputs(row)
  local names = {}
  for i = 1, #row.inputs do names[i] = "x" .. i end
  return table.concat(names, ", ")
end

local function shift_source(row)
  local last = row.inputs[#row.inputs]
  if not (last and last.optional) or #row.attributes == 0 then return "" end
  local x = "x" .. #row.inputs
  return ([[
    if %s ~= nil and a1 == nil and type(%s) ~= "number" and getmetatable(%s) ~= Tensor then
      a1, %s = %s, nil
    end
  ]]):format(x, x, x, x, x)
end

local function attributes_source(row)
  if #row.attributes == 0 then
    return "if a1 ~= nil then too_many(row, a1) end local at = nil"
  end
  if row.flags.random then
    return ("local at = fill(%s) at.call = state.random_calls"
      .. " state.random_calls = state.random_calls + 1"):format(spread)
  end
  return ("local at = defaults if a1 ~= nil or not at then at = fill(%s) end"):format(spread)
end

local function parameters(row)
  local inputs = names_of_inputs(row)
  return inputs == "" and spread or inputs .. ", " .. spread
end

local function body(row)
  local lines = { shift_source(row) }
  for i = 1, #row.inputs do lines[#lines + 1] = input_source(row, i) end
  lines[#lines + 1] = attributes_source(row)
  return table.concat(lines, "\n")
end

--- The arguments of what ends a call that did not answer PL_OK.
local function status_source(row)
  local inputs = names_of_inputs(row)
  return "(status, row" .. (inputs == "" and "" or ", " .. inputs) .. ")"
end

--- Source that makes a tensor of each output that is not hidden, and returns them.
local function results_source(row)
  local lines, names = {}, {}
  for _, output in ipairs(row.outputs) do
    if not output.hidden then
      local k = #names
      names[k + 1] = "t" .. k
      lines[#lines + 1] = ("local t%d = setmetatable({ _h = out[%d], _op = %d }, Tensor)")
        :format(k, k, row.id)
      lines[#lines + 1] = ("if state.scope == 0 then own(t%d) end"):format(k)
    end
  end
  lines[#lines + 1] = "return " .. table.concat(names, ", ")
  return table.concat(lines, "\n")
end

--- The function that makes new tensors.
function source.new(row)
  return ([[
    return function(%s)
      if state.scope == 0 and state.allocated > ops.budget() then collect() end
      if state.anomaly ~= 0 then note() end
      %s
      local status = C.pl_apply(%d, at, buffer, nil, %d, out)
      if status == EMEMORY then
        collect()
        status = C.pl_apply(%d, at, buffer, nil, %d, out)
      end
      if status ~= 0 then return late_results%s end
      %s
    end
  ]]):format(parameters(row), body(row), row.id, #row.inputs, row.id, #row.inputs,
    status_source(row), results_source(row))
end

--- The in-place form, with a trailing _.
function source.in_place(row)
  return ([[
    return function(%s)
      if state.anomaly ~= 0 then note() end
      %s
      local status = C.pl_apply_in_place(%d, at, buffer, %d)
      if status ~= 0 then settle%s end
      return x1
    end
  ]]):format(parameters(row), body(row), row.id, #row.inputs, status_source(row))
end

return source
