--- nn.Identity: returns its input; a placeholder, for instance for a removed head.

local class = require "perilune.class"
local Module = require "perilune.nn.module"

local Identity = class("Identity", Module)

function Identity.forward(_, x)
  return x
end

return Identity
