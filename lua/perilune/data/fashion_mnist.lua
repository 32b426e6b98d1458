--- Fashion-MNIST: 70,000 grey images of clothes, 28 x 28; Debian has it as a package.

local class = require "perilune.class"
local MNIST = require "perilune.data.mnist"

local FashionMNIST = class("FashionMNIST", MNIST)

FashionMNIST.options = {
  { "root", "/usr/share/datasets/fashion-mnist", doc = "folder of the files" },
}

FashionMNIST.classes = {
  "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
  "Ankle boot",
}

FashionMNIST.hint = "install Debian's package dataset-fashion-mnist (apt-get install "
  .. "dataset-fashion-mnist), or give the folder of its idx files with --data DIR (root = DIR)"

function FashionMNIST:init(o)
  MNIST.init(self, FashionMNIST:check(o))
end

return FashionMNIST
