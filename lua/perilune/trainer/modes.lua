--- Which modules of a model are in training mode: taken before an evaluation and given back after
-- it, each module on its own, so that a frozen layer stays as it was.

local modes = {}

--- The mode of every module of a model.
-- @return a list for `restore`
function modes.save(model)
  local saved = {}
  for i, module in ipairs(model.modules and model:modules() or {}) do
    saved[i] = { module, module.training }
  end
  return saved
end

--- Give every module its mode back.
-- @param saved what `save` answered; nil is none
-- @return nil
function modes.restore(saved)
  for _, mode in ipairs(saved or {}) do mode[1].training = mode[2] end
end

return modes
