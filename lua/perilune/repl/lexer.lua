--- Lua's tokens, as far as the session needs them: which names a chunk uses, which locals it
-- declares at its top level, where its last `return` is. Expects source that compiles.

local lexer = {}

local opens = { ["do"] = true, ["function"] = true, ["if"] = true, ["repeat"] = true }
local closes = { ["end"] = true, ["until"] = true }

--- The last byte of a long bracket that opens at `at`, or nil if none opens there.
local function long_bracket(source, at)
  local level = source:match("^%[(=*)%[", at)
  if not level then return nil end
  local _, stop = source:find("]" .. level .. "]", at, true)
  return stop or #source
end

local function short_string(source, at)
  local quote = source:sub(at, at)
  local i = at + 1
  while i <= #source do
    local c = source:sub(i, i)
    if c == quote then return i end
    i = i + (c == "\\" and 2 or 1)
  end
  return #source
end

local function comment(source, at)
  return long_bracket(source, at + 2) or (source:find("\n", at, true) or #source + 1) - 1
end

--- Iterates over tokens: kind ("name", "string", "number" or "symbol"), text, first byte.
-- Keywords are names.
function lexer.tokens(source)
  local at = 1
  return function()
    while true do
      at = source:find("%S", at)
      if not at then return nil end
      if source:sub(at, at + 1) ~= "--" then break end
      at = comment(source, at) + 1
    end
    local first, kind, last = at
    local c = source:sub(at, at)
    if c:find("[%a_\128-\255]") then
      kind, last = "name", select(2, source:find("^[%w_\128-\255]+", at))
    elseif source:find("^%.?%d", at) then
      kind, last = "number", select(2, source:find("^[%w.]+", at))
    elseif c == "'" or c == '"' then
      kind, last = "string", short_string(source, at)
    else
      last = long_bracket(source, at)
      kind = last and "string" or "symbol"
    end
    at = (last or first) + 1
    return kind, source:sub(first, at - 1), first
  end
end

--- Looks through a chunk.
-- @return { locals = names declared at the top level, in order, once each; names = set of all
--   names that occur; return_at = first byte of a `return` at the top level, or nil;
--   last, last_at = the last token and its first byte }
function lexer.scan(source)
  local found = { locals = {}, names = {} }
  local declared = {}
  local depth = 0
  local expected = nil -- in a top-level `local`: a "name", or the "comma" before another
  for kind, text, at in lexer.tokens(source) do
    if expected == "name" and text ~= "function" then
      if not declared[text] then
        declared[text] = true
        table.insert(found.locals, text)
      end
      expected = "comma"
    elseif expected == "comma" then
      expected = text == "," and "name" or nil
    end
    if kind == "name" then
      found.names[text] = true
      if text == "local" and depth == 0 then expected = "name" end
      if text == "return" and depth == 0 then found.return_at = at end
      if opens[text] then depth = depth + 1 end
      if closes[text] then depth = depth - 1 end
    end
    found.last, found.last_at = text, at
  end
  return found
end

return lexer
