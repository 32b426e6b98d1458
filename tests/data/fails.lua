-- fails(kind, pattern, f, ...): f(...) raises an error of that kind whose sentence matches.

local assert = require "luassert"
local errors = require "perilune.errors"

--- @return the error
return function(kind, pattern, f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok)
  assert.is_true(errors.is(e), tostring(e))
  assert.equal(kind, e.kind, e.message)
  assert.matches(pattern, e.message)
  return e
end
