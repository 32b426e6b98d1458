-- Every row of the op table, driven by reflection: a new op without samples and a reference is red.

local pl = require "perilune"
local ops = require "perilune.ops"
local array = require "tests.ops.array"
local case = require "tests.ops.case"
local check = require "tests.ops.check"
local references = require "tests.ops.reference"
local samples = require "tests.ops.samples"

local function options(sample) return sample[3] or {} end

--- f(sample) for the samples of a row that must work.
local function each(row, f)
  for _, sample in ipairs(samples[row.name] or {}) do
    if not options(sample).wrong then f(sample) end
  end
end

--- The dtypes that strided layouts are tried in: one of each size of element.
local function few_dtypes(row, sample)
  local all = check.dtypes(row, options(sample))
  return { all[1], all[2], all[3], all[4] }
end

local function is_pointwise_method(row)
  return row.flags.pointwise and not row.flags.internal and row.name ~= "cast"
    and row.name ~= "copy"
end

local function requires_tensor(row)
  for _, input in ipairs(row.inputs) do
    if not input.optional and not input.list then return true end
  end
  return false
end

for _, row in ipairs(ops.list) do
  describe(row.name, function()
    it("has samples and a reference", function()
      assert(references[row.name], "add " .. row.name .. " to tests/ops/reference/")
      assert(samples[row.name], "add " .. row.name .. " to tests/ops/samples.lua")
    end)

    it("computes what its reference computes", function()
      each(row, function(sample)
        for _, dtype in ipairs(check.dtypes(row, options(sample))) do
          check.value(row, sample, { dtype = dtype, layout = "dense" })
        end
      end)
    end)

    it("takes inputs in any layout", function()
      each(row, function(sample)
        if options(sample).dense then return end
        for _, dtype in ipairs(few_dtypes(row, sample)) do
          for i = 2, #case.layouts do
            check.value(row, sample, { dtype = dtype, layout = case.layouts[i] })
          end
        end
      end)
    end)

    if check.counts_positions(row) then
      it("counts positions from 0 where asked", function()
        each(row, function(sample)
          check.value(row, sample, { dtype = "f32", layout = "dense", base = 0 })
        end)
      end)
    end

    if is_pointwise_method(row) then
      it("works in place", function()
        each(row, function(sample)
          for _, layout in ipairs{ "dense", "transposed", "stepped" } do
            check.in_place(row, sample, layout)
          end
        end)
      end)
    end

    if row.differentiable then
      it("has the gradient its reference's differences have", function()
        each(row, function(sample)
          if options(sample).grad == false then return end
          check.gradient(row, sample, "dense")
          if options(sample).dense then return end
          check.gradient(row, sample, "transposed")
          if options(sample).ties ~= false then check.gradient(row, sample, "expanded") end
        end)
      end)
    end

    if row.differentiable and not row.flags.random then
      it("has f32's gradients in the half types", function()
        each(row, function(sample)
          if options(sample).grad == false or options(sample).ties == false then return end
          for _, dtype in ipairs{ "bf16", "f16" } do check.half_gradient(row, sample, dtype) end
        end)
      end)

      it("has the second derivatives its gradient's differences have", function()
        local tried = 0
        each(row, function(sample)
          local o = options(sample)
          if o.grad == false or o.second == false or tried == 4 then return end
          tried = tried + 1
          for which = 1, 2 do check.second(row, sample, which) end
        end)
      end)
    end

    it("refuses what makes no sense and says its name", function()
      for i, sample in ipairs(samples[row.name] or {}) do
        if options(sample).wrong then
          local arrays = case.fill(sample[1], "f32")
          check.fails(row, "wrong sample " .. i, function()
            local y = check.call(row, case.each(arrays, case.tensor), sample[2] or {})
            return y and y:totable()
          end)
        end
      end
      if requires_tensor(row) then
        check.fails(row, "no input", function() ops.call(row.name, {}) end)
        check.fails(row, "a string as input", function()
          local inputs = {}
          for k, input in ipairs(row.inputs) do
            inputs[k] = input.list and { "seven" } or "seven"
          end
          ops.call(row.name, inputs)
        end)
      end
      local first = (samples[row.name] or {})[1]
      local attributes = { sizzes = { 2 } }
      for name, value in pairs(first[2] or {}) do attributes[name] = value end
      check.fails(row, "an unknown attribute", function()
        check.call(row, case.each(case.fill(first[1], "f32"), case.tensor), attributes)
      end)
    end)

    it("survives any shapes and dtypes", function() check.survives(row) end)

    it("has the same shapes and dtypes on null", function()
      each(row, function(sample)
        if row.family == "optim" then return end
        check.shape_on(row, sample, "null")
      end)
    end)
  end)
end

describe("special values", function()
  local values = { -1 / 0, -1000, -1.5, -0, 0, 1e-30, 0.5, 1000, 1 / 0, 0 / 0 }
  local skipped = { cast = true, sin = true, cos = true }
  for _, row in ipairs(ops.list) do
    if row.family == "pointwise" and #row.inputs == 1 and not skipped[row.name] then
      it("reach " .. row.name .. " as IEEE asks", function()
        for _, dtype in ipairs{ "f32", "f64" } do
          local x = array.new({ #values }, values, dtype)
          local out = case.read(ops.call(row.name, { case.tensor(x) }))
          check.same(out, references[row.name]({}, x), dtype == "f32" and 1e-5 or 1e-12,
            row.name .. " " .. dtype)
        end
      end)
    end
  end
end)

describe("a method", function()
  it("is every row that users may call", function()
    local t = pl.zeros(2)
    for _, row in ipairs(ops.list) do
      if not row.flags.internal and #row.inputs > 0 then
        assert(type(t[row.name]) == "function", row.name .. " is no method of a tensor")
      end
    end
  end)

  it("takes attributes in order, by name, or both", function()
    local x = pl.tensor{ { 1, 2, 3 }, { 4, 5, 6 } }
    assert.same({ 6, 15 }, x:sum(2):totable())
    assert.same({ { 6 }, { 15 } }, x:sum({ 2 }, { keepdim = true }):totable())
    assert.same({ { 6 }, { 15 } }, x:sum{ axes = { 2 }, keepdim = true }:totable())
    assert.same({ { 2, 3 }, { 5, 6 } }, x:narrow(2, 2, 2):totable())
  end)
end)
