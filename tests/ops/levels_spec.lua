-- The kernels are compiled once per CPU level; each level this processor can run is checked, in a
-- process of its own, since the level is chosen when the device opens.

--- The interpreter that runs these specs: the first word of the command line.
local function interpreter()
  local i = -1
  while arg[i - 1] do i = i - 1 end
  return arg[i]
end

describe("CPU level", function()
  for _, level in ipairs{ "baseline", "avx2", "avx512" } do
    it(level .. " computes what the references compute", function()
      local command = "PERILUNE_CPU=%s '%s' tests/ops/level_values.lua 2>&1; echo \"exit code $?\""
      local pipe = io.popen(command:format(level, interpreter()))
      local text = pipe:read("*a")
      pipe:close()
      if text:find("this processor has", 1, true) then pending("this processor lacks " .. level) end
      assert.equal("exit code 0\n", text)
    end)
  end
end)
