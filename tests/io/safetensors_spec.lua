-- Files of weights: what is written comes back bit by bit, in order; Python's package reads ours
-- and we read its.

package.path = "./tests/host/?.lua;" .. package.path
local pl = require "perilune"
local process = require "process"
local safetensors = pl.safetensors

local python = os.getenv "PERILUNE_BENCH_PYTHON" or "python3"
local has_package = os.execute(python .. " -c 'import safetensors.numpy' 2>/dev/null") == 0

describe("safetensors", function()
  local folder, path

  before_each(function()
    folder = process.folder()
    path = folder .. "/file.safetensors"
  end)

  after_each(function() process.remove(folder) end)

  local function fails(kind, words, f, ...)
    local ok, err = pcall(f, ...)
    assert.is_false(ok)
    assert.are.equal(kind, err.kind)
    assert.truthy(err.message:find(words, 1, true), err.message)
  end

  it("gives back names in order, every dtype and the metadata", function()
    local tensors = {}
    for i, dtype in ipairs{ "u8", "f32", "bool", "f16", "i64", "bf16", "f64", "i32" } do
      tensors[i] = dtype
      tensors[dtype] = pl.tensor({ { 0, 1, 3 } }, { dtype = dtype })
    end
    tensors[9], tensors.scalar = "scalar", pl.tensor(2.5)
    tensors[10], tensors.none = "none", pl.zeros(0, 3)
    safetensors.save(path, tensors, { kind = "test", ["\"q\""] = "\n\\" })
    local read, metadata = safetensors.load(path)
    for i, name in ipairs(tensors) do
      assert.are.equal(name, read[i])
      assert.are.equal(tensors[name].dtype, read[name].dtype)
      assert.are.same(tensors[name].shape, read[name].shape)
      assert.are.same(tensors[name]:totable(), read[name]:totable())
    end
    assert.are.equal(#tensors, #read)
    assert.are.same({ kind = "test", ["\"q\""] = "\n\\" }, metadata)
  end)

  it("takes a plain table of tensors, and views", function()
    local t = pl.tensor{ { 1, 2, 3 }, { 4, 5, 6 } }
    safetensors.save(path, { b = t:t(), a = t[2] })
    local read = safetensors.load(path)
    assert.are.same({ "a", "b" }, { read[1], read[2] })
    assert.are.same({ { 1, 4 }, { 2, 5 }, { 3, 6 } }, read.b:totable())
    assert.are.same({ 4, 5, 6 }, read.a:totable())
  end)

  it("says what it cannot save", function()
    fails("argument", "'x' is no tensor but a number", safetensors.save, path, { x = 1 })
    fails("argument", "'gone' is no tensor but a nil", safetensors.save, path, { "gone" })
    fails("argument", "zero byte", safetensors.save, path, { ["a\0b"] = pl.zeros(1) })
    fails("argument", "metadata.n must be a string", safetensors.save, path, {}, { n = 1 })
    fails("argument", "path has a zero byte", safetensors.save, path .. "\0b", {})
    fails("argument", "path must be a string, got 3", safetensors.save, 3, {})
    fails("io", "No such file", safetensors.save, folder .. "/no/file", {})
    assert.is_nil(process.read(path))
  end)

  it("says what is wrong with a file", function()
    fails("io", "cannot open", safetensors.load, path)
    fails("argument", "path has a zero byte", safetensors.load, path .. "\0b")
    process.write(path, "hello")
    fails("format", path .. " is no valid safetensors file", safetensors.load, path)
  end)

  it("lives in no scope", function()
    safetensors.save(path, { a = pl.ones(2) })
    local read = {}
    pl.scope(function() read.a = safetensors.load(path).a end)
    assert.are.same({ 1, 1 }, read.a:totable())
  end)

  local function python_run(text)
    local script = process.write(folder .. "/script.py", text)
    local result = process.run(("%s %s %s"):format(python, script, process.quote(path)))
    assert.are.equal(0, result.code, result.err)
    return result.out
  end

  it("is read by Python's package", function()
    if not has_package then return pending(python .. " has no package safetensors") end
    local model = pl.nn.Sequential{ pl.nn.Linear(2, 3), pl.nn.ReLU(), pl.nn.Linear(3, 1) }
    local state = model:state_dict()
    state[#state + 1], state.count = "count", pl.tensor({ 5, 6, 7 }, { dtype = "u8" })
    safetensors.save(path, state, { format = "pt" })
    local out = python_run [[
import sys
from safetensors.numpy import load_file
from safetensors import safe_open
t = load_file(sys.argv[1])
print(" ".join(sorted(t)), t["count"].tolist(), t["count"].dtype)
print(repr(float(t["1.weight"][2, 1])))
print(safe_open(sys.argv[1], "np").metadata())
]]
    local first, second, third = out:match("^(.-)\n(.-)\n(.-)\n$")
    assert.are.equal("1.bias 1.weight 3.bias 3.weight count [5, 6, 7] uint8", first)
    assert.are.equal(state["1.weight"][{ 3, 2 }]:item(), tonumber(second))
    assert.are.equal("{'format': 'pt'}", third)
  end)

  it("reads what Python's package wrote", function()
    if not has_package then return pending(python .. " has no package safetensors") end
    python_run [[
import sys
import numpy as np
from safetensors.numpy import save_file
save_file({
  "0.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "0.bias": np.ones(2, np.float32),
  "flag": np.array([True, False]), "half": np.array([0.5], np.float16),
  "n": np.array(-3, np.int64)}, sys.argv[1], {"who": "caf\u00e9"})
]]
    local read, metadata = safetensors.load(path)
    assert.are.same({ { 0, 1, 2 }, { 3, 4, 5 } }, read["0.weight"]:totable())
    assert.are.same({ true, false }, read.flag:totable())
    assert.are.same({ 0.5 }, read.half:totable())
    assert.are.equal(-3, read.n:item())
    assert.are.equal("caf\195\169", metadata.who)
  end)
end)
