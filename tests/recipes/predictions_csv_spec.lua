-- The file of predictions against the labels in the data set's own file.
local pl = require "perilune"
local process = require "tests.host.process"
local support = require "tests.recipes.support"

describe("recipes/predictions_csv.lua", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function lines(arguments)
    local result = support.results("predictions_csv",
      ("--epochs 2 --limit 600 --seed 1 --quiet --csv %s %s"):format(path, arguments or ""))
    local list = {}
    for line in process.read(path):gmatch("[^\n]+") do list[#list + 1] = line end
    return list, result
  end

  it("writes samples and classes from 0, as the files of the data set count them", function()
    local list, result = lines()
    assert.are.equal("sample_from_0,class_from_0", list[1])
    assert.are.equal(601, #list)
    local test, hits = pl.data.FashionMNIST{ split = "test" }, 0
    for i = 1, 600 do
      local sample, class = list[i + 1]:match("^(%d+),(%d)$")
      assert.are.equal(i - 1, tonumber(sample))
      local _, label = test:get(i)
      if tonumber(class) == label - 1 then hits = hits + 1 end
    end
    assert.is_true(math.abs(hits / 600 - result.test_accuracy) < 1e-6)
    assert.is_true(result.test_accuracy > 0.4)
  end)

  it("writes all outputs when asked", function()
    local list = lines("--columns outputs")
    assert.truthy(list[1]:find("^sample_from_0,output_0,output_1,.*,output_9$"))
    assert.are.equal(10, select(2, list[2]:gsub(",", "")))
  end)

  it("says before training that the file cannot be written", function()
    local code, _, err = support.run("predictions_csv", "--limit 100 --quiet --csv /nonexistent/a")
    assert.are.equal(1, code)
    assert.truthy(err:find("cannot write /nonexistent/a: No such file or directory", 1, true), err)
  end)
end)
