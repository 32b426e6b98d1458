--- pl.einsum("bij,bjk->bik", a, b): sums of products over named dimensions. Operands are contracted
-- from left to right, each pair as one matrix product of batches; gradients flow through it.

local check = require "perilune.check"
local errors = require "perilune.errors"

local is_tensor = check.is_tensor

local function refuse(text, ...)
  errors.raise("argument", "einsum: " .. text:format(...), { op = "einsum" })
end

local function letters_of(text)
  local list = {}
  for letter in text:gmatch "%a" do list[#list + 1] = letter end
  return list
end

-- The letters that only one operand has, in alphabetical order, as PyTorch takes them.
local function implicit_output(inputs)
  local counts, list = {}, {}
  for letter in table.concat(inputs):gmatch "%a" do counts[letter] = (counts[letter] or 0) + 1 end
  for letter, count in pairs(counts) do
    if count == 1 then list[#list + 1] = letter end
  end
  table.sort(list)
  return table.concat(list)
end

-- "ij,jk->ik" as { "ij", "jk" }, "ik".
local function parse(equation)
  if type(equation) ~= "string" then
    refuse("the equation must be a string, got %s", check.describe(equation))
  end
  local left, right = equation:gsub("%s", ""):match "^([%a,]*)%-?>?(%a*)$"
  local has_arrow = equation:find("->", 1, true) ~= nil
  if not left or (not has_arrow and equation:find "[%->]") then
    refuse("'%s' is no equation of letters, commas and one ->", equation)
  end
  local inputs = {}
  for part in (left .. ","):gmatch "(%a*)," do inputs[#inputs + 1] = part end
  return inputs, has_arrow and right or implicit_output(inputs)
end

-- Sizes by letter; every operand must agree.
local function sizes_of(inputs, operands)
  local sizes = {}
  for i, names in ipairs(inputs) do
    local t = operands[i]
    if not is_tensor(t) then refuse("operand %d must be a tensor, got %s", i, check.describe(t)) end
    if #names ~= t:dim() then
      refuse("operand %d has %d dimensions, '%s' names %d", i, t:dim(), names, #names)
    end
    local seen = {}
    for axis, letter in ipairs(letters_of(names)) do
      if seen[letter] then refuse("'%s' has '%s' twice; take a diagonal first", names, letter) end
      seen[letter] = true
      local size = t:size(axis)
      if sizes[letter] and sizes[letter] ~= size then
        refuse("'%s' is %d in operand %d, and %d before", letter, size, i, sizes[letter])
      end
      sizes[letter] = size
    end
  end
  return sizes
end

-- The letters that `test` holds for, in the order of names.
local function those(names, test)
  local list = {}
  for _, letter in ipairs(letters_of(names)) do
    if test(letter) then list[#list + 1] = letter end
  end
  return table.concat(list)
end

local function has(names, letter) return names:find(letter, 1, true) ~= nil end

local function permuted(t, names, wanted)
  if names == wanted then return t end
  local axes = {}
  for i, letter in ipairs(letters_of(wanted)) do axes[i] = names:find(letter, 1, true) end
  return t:permute(axes)
end

-- Sum over the letters that nobody needs any more.
local function summed(t, names, needed)
  local axes = {}
  for i, letter in ipairs(letters_of(names)) do
    if not has(needed, letter) then axes[#axes + 1] = i end
  end
  if #axes == 0 then return t, names end
  return t:sum{ axes = axes }, those(names, function(letter) return has(needed, letter) end)
end

local function count(names, sizes)
  local n = 1
  for _, letter in ipairs(letters_of(names)) do n = n * sizes[letter] end
  return n
end

local function shape_of(names, sizes)
  local shape = {}
  for i, letter in ipairs(letters_of(names)) do shape[i] = sizes[letter] end
  return shape
end

-- The product of two operands, summed over the letters that are not needed.
local function contract(a, of_a, b, of_b, needed, sizes)
  a, of_a = summed(a, of_a, needed .. of_b)
  b, of_b = summed(b, of_b, needed .. of_a)
  local batch = those(of_a, function(l) return has(of_b, l) and has(needed, l) end)
  local inner = those(of_a, function(l) return has(of_b, l) and not has(needed, l) end)
  local rows = those(of_a, function(l) return not has(of_b, l) end)
  local columns = those(of_b, function(l) return not has(of_a, l) end)
  local n, k = count(batch, sizes), count(inner, sizes)
  a = permuted(a, of_a, batch .. rows .. inner):reshape(n, count(rows, sizes), k)
  b = permuted(b, of_b, batch .. inner .. columns):reshape(n, k, count(columns, sizes))
  local names = batch .. rows .. columns
  return a:matmul(b):reshape(shape_of(names, sizes)), names
end

--- Sums of products over named dimensions.
-- @param equation "ij,jk->ik"; without -> the letters of one operand only, in alphabetical order
-- @param ... a tensor for each part, or one list of them
-- @return a tensor
-- @raise kind "argument"
return function(equation, ...)
  local operands = type(...) == "table" and not is_tensor((...)) and (...) or { ... }
  local inputs, output = parse(equation)
  if #inputs ~= #operands then
    refuse("'%s' names %d operands, got %d", equation, #inputs, #operands)
  end
  local sizes = sizes_of(inputs, operands)
  for _, letter in ipairs(letters_of(output)) do
    if not sizes[letter] then refuse("no operand of '%s' has '%s'", equation, letter) end
  end
  local t, names = operands[1], inputs[1]
  for i = 2, #operands do
    local needed = output .. table.concat(inputs, "", i + 1)
    t, names = contract(t, names, operands[i], inputs[i], needed, sizes)
  end
  t, names = summed(t, names, output)
  return permuted(t, names, output)
end
