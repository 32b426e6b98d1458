-- The checks every op must pass, shared by the spec and the runs at other CPU levels. Each raises
-- an error that says op, case and element; none knows any op by name.

local pl = require "perilune"
local ops = require "perilune.ops"
local array = require "tests.ops.array"
local case = require "tests.ops.case"
local references = require "tests.ops.reference"

local check = {}

local floating = { f32 = true, f64 = true, f16 = true, bf16 = true }
local tolerance = { f32 = 1e-5, f64 = 1e-12, f16 = 2^-9, bf16 = 2^-6 }

-- ---- what a row says ---------------------------------------------------------------------------

local function has_attribute(row, name)
  for _, attribute in ipairs(row.attributes) do
    if attribute.name == name then return true end
  end
  return false
end

function check.counts_positions(row) return has_attribute(row, "base") end

--- The dtypes inputs are tried in: integers too; a FLOAT row makes them f32.
function check.dtypes(row, options)
  if row.family == "optim" or options.floats then return { "f32", "f64", "bf16", "f16" } end
  if row.flags.float then return { "f32", "f64", "bf16", "i32", "f16" } end
  return { "f32", "f64", "bf16", "i64", "i32", "u8", "bool", "f16" }
end

local function result_dtype(row, dtype)
  return row.flags.float and not floating[dtype] and "f32" or dtype
end

-- ---- comparing ---------------------------------------------------------------------------------

local function describe(row, attributes, dtype, layout)
  local words = {}
  for name, value in pairs(attributes or {}) do
    words[#words + 1] = name .. "=" .. (type(value) == "table" and
      "{" .. table.concat(value, ",") .. "}" or tostring(value))
  end
  table.sort(words)
  return ("%s{%s} %s %s"):format(row.name, table.concat(words, " "), dtype or "", layout or "")
end

local function close(got, want, slack)
  if want ~= want then return got ~= got end
  if want == got then return true end
  return math.abs(got - want) <= slack * math.max(1, math.abs(want))
end

--- Calls an op of the table; false stands for an absent input.
function check.call(row, tensors, attributes)
  local inputs = {}
  for k = 1, #row.inputs do inputs[k] = tensors[k] or nil end
  return ops.call(row.name, inputs, next(attributes) and attributes or nil)
end

--- Raises unless the arrays agree in shape and values.
function check.same(got, want, slack, what)
  local shape, expected = table.concat(got.shape, "x"), table.concat(want.shape, "x")
  if shape ~= expected then
    error(("%s: shape %s, expected %s"):format(what, shape, expected), 0)
  end
  for i = 1, array.count(want.shape) do
    if not (got.data[i] and close(got.data[i], want.data[i], slack)) then
      error(("%s: element %d is %s, expected %.17g"):format(what, i, tostring(got.data[i]),
        want.data[i]), 0)
    end
  end
end

local wraps = {
  u8 = function(v) return v % 256 end,
  bool = function(v) return v ~= 0 and 1 or 0 end,
  f16 = function(v) return math.abs(v) >= 65520 and v / 0 or v end,
}

local function in_dtype(x, dtype)
  local wrap = wraps[dtype]
  if not wrap then return x end
  local data = {}
  for i, v in ipairs(x.data) do data[i] = wrap(v) end
  return array.new(x.shape, data, x.dtype)
end

-- ---- values ------------------------------------------------------------------------------------

local function reference(row, attributes, arrays, out)
  local f = assert(references[row.name], row.name .. ": no reference in tests/ops/reference.lua")
  local inputs = { unpack(arrays, 1, #row.inputs) }
  for k = 1, #row.inputs do inputs[k] = inputs[k] or nil end
  if row.flags.random then
    inputs[#row.inputs + 1] = out
    return f(attributes, unpack(inputs, 1, #row.inputs + 1))
  end
  return f(attributes, unpack(inputs, 1, #row.inputs))
end

local function with_base(attributes, base)
  if base == nil then return attributes end
  local copy = { base = base }
  for name, value in pairs(attributes) do copy[name] = value end
  if base == 0 and (copy.ignore_index or 0) > 0 then copy.ignore_index = copy.ignore_index - 1 end
  return copy
end

local function check_output(row, out, want, dtype, base, slack, what)
  local expected = want.dtype or result_dtype(row, dtype)
  if out.dtype ~= expected then
    error(("%s: dtype %s, expected %s"):format(what, out.dtype, expected), 0)
  end
  if base == 0 and row.outputs[1].positions then
    local shifted = {}
    for i, p in ipairs(want.data) do shifted[i] = p - 1 end
    want = array.new(want.shape, shifted)
  end
  slack = math.max(slack or 0, tolerance[expected] or 0)
  check.same(out, in_dtype(want, expected), slack, what)
end

local function check_updated(row, tensors, want, slack, what)
  for k, input in ipairs(row.inputs) do
    for j, expected in ipairs(want[input.name] or {}) do
      check.same(case.read(tensors[k][j]), expected, slack, what .. " " .. input.name)
    end
  end
end

--- One call against its reference. settings: dtype, layout, base. Rows that compute may refuse
-- bool, as PyTorch's do, in so many words.
function check.value(row, sample, settings)
  local attributes, options = sample[2] or {}, sample[3] or {}
  local dtype, layout = settings.dtype, settings.layout
  local arrays = case.fill(sample[1], dtype)
  if layout == "expanded" then arrays = case.each(arrays, case.repeated) end
  local what = describe(row, attributes, dtype, layout)
  pl.scope(function()
    local tensors = case.each(arrays, function(x) return case.tensor(x, layout, settings.base) end)
    local called, y = pcall(check.call, row, tensors, with_base(attributes, settings.base))
    if not called and dtype == "bool" and y.kind == "dtype" and y.op == row.name then return end
    if not called then error(y, 0) end
    local out = y and case.read(y)
    local want = reference(row, attributes, arrays, out)
    if out then
      check_output(row, out, want, dtype, settings.base, options.tolerance, what)
    else
      check_updated(row, tensors, want, tolerance[dtype], what)
    end
  end)
end

--- The method whose name ends in _ leaves what the op itself answers in its first operand, and
-- nothing else in the storage that operand is a view of.
function check.in_place(row, sample, layout)
  local attributes = sample[2] or {}
  local arrays = case.fill(sample[1], "f64")
  local want = reference(row, attributes, arrays)
  if (want.dtype or "f64") ~= arrays[1].dtype or
    table.concat(want.shape, "x") ~= table.concat(arrays[1].shape, "x") then return end
  pl.scope(function()
    local tensors = case.each(arrays, function(x) return case.tensor(x, layout) end)
    local x = tensors[1]
    local arguments = { unpack(tensors, 2) }
    if next(attributes) then arguments[#arguments + 1] = attributes end
    x[row.name .. "_"](x, unpack(arguments))
    check.same(case.read(x), want, tolerance.f64, describe(row, attributes, "f64", "in place"))
  end)
end

-- ---- gradients ---------------------------------------------------------------------------------

local function cotangent(shape)
  return array.build(shape, function(_, i) return (i * 29 % 13 - 6.5) / 4 end, "f64")
end

local function weighed(out, weights)
  local sum = 0
  for i, v in ipairs(out.data) do sum = sum + v * weights.data[i] end
  return sum
end

--- The gradient of the weighed sum of the reference's outputs for array x of arrays.
local function slopes(row, attributes, arrays, x, weights, out)
  local h, data = 1e-5, {}
  for i, v in ipairs(x.data) do
    x.data[i] = v + h
    local up = weighed(reference(row, attributes, arrays, out), weights)
    x.data[i] = v - h
    local down = weighed(reference(row, attributes, arrays, out), weights)
    x.data[i] = v
    data[i] = (up - down) / (2 * h)
  end
  return array.new(x.shape, data)
end

--- The inputs of a call that have a gradient, as { array, tensor } pairs.
local function leaves(arrays, tensors, constant)
  local found = {}
  case.each(arrays, function(x, k, j)
    if x.real and not (constant and constant[k]) then
      found[#found + 1] = { x, j and tensors[k][j] or tensors[k] }
    end
    return x
  end)
  return found
end

local function backward_of(row, sample, layout, wanted)
  local attributes, options = sample[2] or {}, sample[3] or {}
  local arrays = case.fill(sample[1], "f64")
  if layout == "expanded" then arrays = case.each(arrays, case.repeated) end
  local tensors = case.each(arrays, function(x) return case.tensor(x, layout) end)
  local found = leaves(arrays, tensors, options.constant)
  for i, leaf in ipairs(found) do
    if not wanted or wanted == i then leaf[2]:requires_grad_(true) end
  end
  if #found == 0 then return 0 end
  local y = check.call(row, tensors, attributes)
  local weights = cotangent(y.shape)
  weights.dtype = y.dtype
  local out = row.flags.random and case.read(y)
  y:backward(case.tensor(weights))
  for i, leaf in ipairs(found) do
    local what = describe(row, attributes, "gradient of input " .. i, layout)
    if wanted and wanted ~= i then
      assert(leaf[2].grad == nil, what .. " is there although nobody asked")
    else
      assert(leaf[2].grad, what .. " is missing")
      check.same(case.read(leaf[2].grad),
        slopes(row, attributes, arrays, leaf[1], weights, out), options.slack or 1e-6, what)
    end
  end
  return #found
end

--- Gradients against differences of the reference: all inputs at once, then each one alone.
function check.gradient(row, sample, layout)
  local count
  pl.scope(function() count = backward_of(row, sample, layout) end)
  if count < 2 or layout ~= "dense" then return end
  for wanted = 1, count do
    pl.scope(function() backward_of(row, sample, layout, wanted) end)
  end
end

--- The gradients of a call on the values that dtype can hold, computed in `computed`.
local function gradients_in(row, sample, dtype, computed)
  local attributes, options = sample[2] or {}, sample[3] or {}
  local arrays = case.fill(sample[1], dtype)
  local tensors = case.each(arrays, function(x)
    if x.dtype == dtype then x.dtype = computed end
    return case.tensor(x)
  end)
  local found = leaves(arrays, tensors, options.constant)
  for _, leaf in ipairs(found) do leaf[2]:requires_grad_(true) end
  local y = check.call(row, tensors, attributes)
  local weights = cotangent(y.shape)
  weights.dtype = y.dtype
  if #found > 0 then y:backward(case.tensor(weights)) end
  for i, leaf in ipairs(found) do found[i] = case.read(leaf[2].grad) end
  return found
end

--- The gradients in a half type are those in f32, up to its precision.
function check.half_gradient(row, sample, dtype)
  pl.scope(function()
    local want = gradients_in(row, sample, dtype, "f32")
    for i, got in ipairs(gradients_in(row, sample, dtype, dtype)) do
      local what = describe(row, sample[2], dtype .. " gradient of input " .. i)
      assert(got.dtype == dtype, what .. " is " .. got.dtype)
      local largest = 1
      for _, v in ipairs(want[i].data) do largest = math.max(largest, math.abs(v)) end
      check.same(got, want[i], 2 * largest * tolerance[dtype], what)
    end
  end)
end

--- The gradient of one input of a call, recorded so that it can be differentiated again. The
-- result is squared, so that the gradient that comes back to the op depends on the inputs too.
local function first_gradient(row, attributes, arrays, options, which)
  local tensors = case.each(arrays, function(x) return case.tensor(x) end)
  local found = leaves(arrays, tensors, options.constant)
  if #found == 0 then return found end
  for _, leaf in ipairs(found) do leaf[2]:requires_grad_(true) end
  local y = check.call(row, tensors, attributes):to("f64"):square()
  y:backward(case.tensor(cotangent(y.shape)), { create_graph = true })
  return found, found[which] and found[which][2].grad
end

--- Second derivatives: the gradient of a weighed sum of the first gradient of input `which`,
-- against differences of that gradient.
function check.second(row, sample, which)
  local attributes, options = sample[2] or {}, sample[3] or {}
  local arrays = case.fill(sample[1], "f64")
  local what = describe(row, attributes, "second derivative from input " .. which)
  pl.scope(function()
    local found, gradient = first_gradient(row, attributes, arrays, options, which)
    if not gradient then return end
    local weights = cotangent(gradient.shape)
    for _, leaf in ipairs(found) do leaf[2].grad = nil end
    if gradient.requires_grad then gradient:backward(case.tensor(weights)) end
    local function weighed_gradient()
      local _, g = first_gradient(row, attributes, arrays, options, which)
      return weighed(case.read(g), weights)
    end
    for i, leaf in ipairs(found) do
      local h, x, grad = 1e-5, leaf[1], leaf[2].grad
      local got = grad and case.read(grad) or array.build(x.shape, function() return 0 end)
      for k, v in ipairs(x.data) do
        x.data[k] = v + h
        local up = weighed_gradient()
        x.data[k] = v - h
        local down = weighed_gradient()
        x.data[k] = v
        local want = (up - down) / (2 * h)
        assert(close(got.data[k], want, 1e-5), ("%s to input %d: element %d is %.9g, expected %.9g")
          :format(what, i, k, got.data[k], want))
      end
    end
  end)
end

-- ---- errors ------------------------------------------------------------------------------------

local kinds = { argument = true, shape = true, dtype = true, device = true }

--- f must fail with an error that names the op.
function check.fails(row, what, f)
  local ok, err = pcall(pl.scope, f)
  assert(not ok, ("%s: no error for %s"):format(row.name, what))
  assert(type(err) == "table" and kinds[err.kind],
    ("%s: %s raised %s"):format(row.name, what, tostring(err)))
  assert(err.op == row.name or tostring(err):find(row.name, 1, true),
    ("%s: the error for %s does not name the op: %s"):format(row.name, what, tostring(err)))
end

--- Calls with made-up shapes and dtypes must work or fail properly: never crash, never hang.
function check.survives(row)
  local shapes = { {}, { 0 }, { 1 }, { 3 }, { 2, 3 }, { 3, 1 }, { 1, 1, 2 }, { 2, 0, 3 } }
  local dtypes = { "f32", "i64", "bool", "f64", "u8", "i32" }
  for round = 1, 16 do
    local tensors, attributes = {}, {}
    for k, input in ipairs(row.inputs) do
      local shape = shapes[(round * 5 + k * 3) % #shapes + 1]
      local t = pl.zeros(shape, { dtype = dtypes[(round * 7 + k) % #dtypes + 1] })
      tensors[k] = input.list and { t } or t
    end
    for k, attribute in ipairs(row.attributes) do
      if attribute.default == nil then
        attributes[attribute.name] = check.any(attribute, round + k)
      end
    end
    local ok, err = pcall(pl.scope, function()
      local y = check.call(row, tensors, attributes)
      return y and y:totable()
    end)
    assert(ok or (type(err) == "table" and kinds[err.kind]),
      ("%s, round %d: %s"):format(row.name, round, tostring(err)))
  end
end

--- Some value for an attribute without default.
function check.any(attribute, n)
  local kind = attribute.type
  if kind == "pl_sizes" then return ({ { 2, 3 }, {}, { -1 }, { 0, 1 }, { 6 } })[n % 5 + 1] end
  if kind == "pl_dims" then return ({ { 1 }, { 2, 1 }, { -1 }, { 3, 1, 2 } })[n % 4 + 1] end
  if kind == "pl_dtype" then return ({ "f32", "i64", "bool" })[n % 3 + 1] end
  return ({ 1, 2, -1, 0, 5 })[n % 5 + 1]
end

--- The shape and dtype of the op's output on another device are those on the CPU.
function check.shape_on(row, sample, device)
  local arrays = case.fill(sample[1], "f32")
  pl.scope(function()
    local attributes = sample[2] or {}
    local here = check.call(row, case.each(arrays, case.tensor), attributes)
    local there = case.each(arrays, function(x) return case.tensor(x):to(device) end)
    if #row.inputs == 0 then return end
    local y = check.call(row, there, attributes)
    assert(y.device:find(device, 1, true), row.name .. ": the output is on " .. y.device)
    local what = describe(row, attributes, device)
    local a, b = table.concat(y.shape, "x"), table.concat(here.shape, "x")
    assert(a == b, ("%s: shape %s, on the cpu %s"):format(what, a, b))
    assert(y.dtype == here.dtype, ("%s: dtype %s, on the cpu %s"):format(what, y.dtype, here.dtype))
  end)
end

return check
