-- Texts as positions, and the windows that language models learn from.
local pl = require "perilune"
local fails = require "tests.data.fails"
local data = pl.data

describe("CharacterVocabulary", function()
  it("numbers characters from 1 in the order of their bytes", function()
    local vocabulary = data.CharacterVocabulary "banana\n"
    assert.equal(4, vocabulary:size())
    assert.same({ 3, 2, 4, 1 }, vocabulary:encode("ban\n"):totable())
    assert.equal("i64", vocabulary:encode("ban").dtype)
    assert.equal("nab", vocabulary:decode { 4, 2, 3 })
  end)

  it("takes UTF-8 characters whole and gives every byte back", function()
    assert.equal(3, data.CharacterVocabulary("año"):size())
    for _, text in ipairs { "aéa€", "\0\128\255\200x", "\191\191" } do
      local vocabulary = data.CharacterVocabulary(text)
      assert.equal(text, vocabulary:decode(vocabulary:encode(text)))
    end
  end)

  it("says which character or position it lacks", function()
    local vocabulary = data.CharacterVocabulary "abc"
    fails("argument", "lacks the character 'é' %(number 3 of the text%)", vocabulary.encode,
      vocabulary, "abéc")
    fails("argument", "position 4 is none of 1 to 3", vocabulary.decode, vocabulary, { 1, 4 })
    fails("argument", "the text is empty", data.CharacterVocabulary, "")
  end)
end)

describe("NextTokenDataset", function()
  local function samples(ds)
    local list, source = {}, ds:source()
    for i = 1, ds:size() do
      local tokens, targets = ds:get(i)
      local again, targets_again = source:read(i)
      assert.same(tokens:totable(), again:totable())
      assert.same(targets:totable(), targets_again:totable())
      list[i] = { tokens:totable(), targets:totable() }
    end
    return list
  end

  it("gives windows side by side, each with the token behind it", function()
    local expected = { { { 1, 2, 3 }, { 2, 3, 4 } }, { { 4, 5, 6 }, { 5, 6, 7 } } }
    assert.same(expected, samples(data.NextTokenDataset(pl.arange(1, 7), 3)))
    assert.same(expected, samples(data.NextTokenDataset(pl.arange(1, 9), 3)))
    assert.equal(3, data.NextTokenDataset(pl.arange(1, 10), 3):size())
  end)

  it("gives windows that overlap, or leave tokens out", function()
    assert.same({ { { 1, 2, 3 }, { 2, 3, 4 } }, { { 2, 3, 4 }, { 3, 4, 5 } } },
      samples(data.NextTokenDataset(pl.arange(1, 5), 3, { stride = 1 })))
    assert.same({ { { 1, 2 }, { 2, 3 } }, { { 5, 6 }, { 6, 7 } } },
      samples(data.NextTokenDataset(pl.arange(1, 7), 2, { stride = 4 })))
  end)

  it("shares the memory of its tokens and is batched in C", function()
    local tokens = pl.arange(1, 9)
    local ds = data.NextTokenDataset(tokens, 4)
    tokens:add_(10)
    for batch in data.DataLoader(ds, { batch_size = 2 }):batches() do
      assert.same({ { 11, 12, 13, 14 }, { 15, 16, 17, 18 } }, batch[1]:totable())
      assert.same({ { 12, 13, 14, 15 }, { 16, 17, 18, 19 } }, batch[2]:totable())
    end
  end)

  it("says what does not fit", function()
    fails("shape", "4 tokens are too few for a window of 4", data.NextTokenDataset,
      pl.arange(1, 4), 4)
    fails("shape", "one dimension, got a tensor of shape 2x2", data.NextTokenDataset,
      pl.zeros(2, 2), 1)
  end)
end)
