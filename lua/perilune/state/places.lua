--- Where files of a run go.

local places = {}

--- A path of a callback: inside of the trainer's root_dir, unless it is absolute or there is none.
function places.inside(root, path)
  if not root or path:sub(1, 1) == "/" then return path end
  return root .. "/" .. path
end

return places
