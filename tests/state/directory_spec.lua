-- The directories that states are in: what is found there, and what a killed process left.

package.path = "./tests/host/?.lua;./tests/state/?.lua;" .. package.path
local ffi = require "ffi"
local pl = require "perilune"
local directory = require "perilune.state.directory"
local process = require "process"
local support = require "support"

pcall(ffi.cdef, "int getpid(void);")

describe("a directory of states", function()
  local folder, trainer
  before_each(function()
    folder = process.folder()
    trainer = pl.Trainer{ model = pl.nn.Linear(2, 1), callbacks = {}, quiet = true }
  end)
  after_each(function() process.remove(folder) end)

  local function copy(name, as)
    os.execute(("cp -r '%s/%s' '%s/%s'"):format(folder, name, folder, as))
  end

  it("is rid of what processes left that were killed while they saved", function()
    trainer:save_training_state(folder .. "/update_1")
    local pipe = io.popen "echo $$"
    local gone = pipe:read "*n"
    pipe:close()
    local ours = ("update_2.%d.tmp"):format(ffi.C.getpid())
    copy("update_1", ("update_2.%d.tmp"):format(gone))
    copy("update_1", ours)
    process.write(("%s/notes.%d.tmp"):format(folder, gone), "a file of the user's")
    trainer:save_training_state(folder .. "/update_3")
    local expected = { ("notes.%d.tmp"):format(gone), "update_1", ours, "update_3" }
    table.sort(expected)
    assert.are.same(expected, support.entries(folder))
  end)

  it("lists what is whole, oldest first", function()
    trainer:save_training_state(folder .. "/b")
    local text = process.read(folder .. "/b/state.json")
    for name, time in pairs{ a = 3, c = 1, [".hidden"] = 4, ["d.5.tmp"] = 5, torn = 6 } do
      copy("b", name)
      process.write(("%s/%s/state.json"):format(folder, name),
        (text:gsub('("time": )%d+', "%1" .. time)))
    end
    process.write(folder .. "/b/state.json", (text:gsub('("time": )%d+', "%12")))
    process.write(folder .. "/torn/state.json", text:sub(1, -5))
    local names = {}
    for i, state in ipairs(directory.list(folder)) do names[i] = state.name end
    assert.are.same({ "c", "b", "a" }, names)
  end)
end)
