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

local function make_plan(self)
  local plan, modules = {}, self:children()
  local i = 1
  while i <= #modules do
    local module, next_module = modules[i], modules[i + 1]
    local fused = next_module and module.fuse and module:fuse(next_module)
    plan[#plan + 1] = fused or module
    i = i + (fused and 2 or 1)
  end
  self:derived().plan = plan
  return plan
end

function Sequential:forward(x)
  local derived = rawget(self, "_derived")
  local plan = derived and derived.plan or make_plan(self)
  for i = 1, #plan do x = plan[i](x) end
  return x
end

return Sequential
