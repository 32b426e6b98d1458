--- nn.Sequential: modules called one after the other. A module may offer `fuse(next)`, a callable
-- that does its work and the next one's at once; the plan of what to call is made at the first
-- call and again when the children change. Fusion never changes results or what print shows.

local class = require "perilune.class"
local Container = require "perilune.nn.container"

local rawget = rawget

local Sequential = class("Sequential", Container)

--- nn.Sequential{ a, b }, nn.Sequential(a, b), nn.Sequential{ { "conv", a }, { "act", b } }.
function Sequential:init(...)
  self:fill(...)
end

-- A loop would end every trace here, so calls are nested, up to this many: s3(s2(s1(x))).
local longest = 40
local chunk_name = debug.getinfo(1, "S").source
local makers = {}

--- A function that makes one calling n things one after the other.
local function maker_of(n)
  if not makers[n] then
    local names, nested = {}, "x"
    for i = 1, n do
      names[i] = "s" .. i
      nested = ("s%d(%s)"):format(i, nested)
    end
    local code = ("local %s = ... return function(x) return (%s) end")
      :format(table.concat(names, ", "), nested)
    makers[n] = assert(loadstring(code, chunk_name))
  end
  return makers[n]
end

--- One function of x that calls all steps in order.
local function chain(steps, from)
  local n = math.min(#steps - from + 1, longest)
  local head = maker_of(n)(unpack(steps, from, from + n - 1))
  if from + n > #steps then return head end
  local tail = chain(steps, from + n)
  return function(x) return tail(head(x)) end
end

local function make_plan(self)
  local steps, modules = {}, self:children()
  local i = 1
  while i <= #modules do
    local module, following = modules[i], modules[i + 1]
    local fused = following and module.fuse and module:fuse(following)
    steps[#steps + 1] = fused or module
    i = i + (fused and 2 or 1)
  end
  local plan = #steps > 0 and chain(steps, 1) or function(x) return x end
  self:derived().plan = plan
  return plan
end

function Sequential:forward(x)
  local derived = rawget(self, "_derived")
  local plan = derived and derived.plan or make_plan(self)
  return (plan(x))
end

return Sequential
