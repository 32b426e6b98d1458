--- nn.ModuleList: an ordered list of modules for a model's own forward to use.

local class = require "perilune.class"
local Container = require "perilune.nn.container"

local ModuleList = class("ModuleList", Container)

--- nn.ModuleList{ a, b } or nn.ModuleList().
function ModuleList:init(...)
  self:fill(...)
end

return ModuleList
