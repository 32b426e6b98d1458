--- MNIST and sets in its format: gzipped (or plain) idx files of u8 images and labels.
-- Opening checks headers, sizes and labels; images are inflated at first use and stay u8. A sample
-- is an f32 image in [0, 1] and a label from 1; `classes[label]` names it.

local class = require "perilune.class"
local errors = require "perilune.errors"
local Dataset = require "perilune.data.dataset"
local Source = require "perilune.data.source"

local MNIST = class("MNIST", Dataset)

MNIST.options = {
  { "root", type = "string", required = true, doc = "folder of the files" },
  { "split", "train", choices = { "train", "test" }, doc = "training or test samples" },
  { "channels", false, doc = "images of 1 x 28 x 28, as convolutions take them, not 28 x 28" },
  { "transform", type = "callable", doc = "changes each sample" },
}

MNIST.classes = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" }
--- Added to the error when there are no files.
MNIST.hint = "give the folder of its idx files with --data DIR (root = DIR)"

local prefixes = { train = "train", test = "t10k" }

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function find(self, root, name)
  local path = root:gsub("(.)/+$", "%1") .. "/" .. name
  if exists(path .. ".gz") then return path .. ".gz" end
  if exists(path) then return path end
  errors.raise("io", ("%s: the data set is not installed: there is no %s.gz; %s"):format(
    class.name_of(self), path, self.hint), { argument = "root" })
end

local function check_counts(images, labels, images_path, labels_path)
  local n, m = Source.count(images), Source.count(labels)
  if n ~= m then
    errors.raise("format", ("%s has %d images, but %s has %d labels"):format(images_path, n,
      labels_path, m))
  elseif n == 0 then
    errors.raise("format", images_path .. " has no images")
  end
end

function MNIST:init(o)
  o = MNIST:check(o)
  local prefix = prefixes[o.split]
  local images_path = find(self, o.root, prefix .. "-images-idx3-ubyte")
  local labels_path = find(self, o.root, prefix .. "-labels-idx1-ubyte")
  local images = Source.open_idx(images_path, 3, o.channels)
  local labels = Source.open_idx(labels_path, 1)
  check_counts(images, labels, images_path, labels_path)
  Source.check_labels(labels, #self.classes)
  self.root, self.split, self.transform = o.root, o.split, o.transform
  self.samples = Source{
    { images, cast = "f32", divide = 255 },
    { labels, cast = "i64", add = 1 },
  }
end

function MNIST:size()
  return self.samples:size()
end

--- Sample i.
-- @return f32 image in [0, 1], of rows x columns or 1 x rows x columns; label from 1, a number
function MNIST:get(i)
  self:check_position(i)
  local image, label = self.samples:read(i)
  return self:transformed(image, label:item())
end

--- The labels of all samples, from 1.
-- @return i64, one for each sample
function MNIST:targets()
  return self.samples:column(2)
end

function MNIST:source()
  return self:transformed_source(self.samples)
end

return MNIST
