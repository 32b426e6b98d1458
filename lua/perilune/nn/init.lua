--- pl.nn: modules, layers, losses, initialisers. Members load on first use; a layer of one's own
-- file (nn/my_layer.lua returning the class MyLayer) is found by its name.

return require("perilune.lazy")("perilune.nn", {
  Parameter = "parameter", Buffer = "parameter",
  init = "initializers",
  ReLU = "activations", Tanh = "activations", Sigmoid = "activations", GELU = "activations",
  SiLU = "activations", LeakyReLU = "activations", ELU = "activations", Softplus = "activations",
  Softmax = "activations", LogSoftmax = "activations", LogSigmoid = "activations",
  Mish = "activations", Softsign = "activations", Hardtanh = "activations", ReLU6 = "activations",
  Hardsigmoid = "activations", Hardswish = "activations", SELU = "activations",
  CELU = "activations", PReLU = "activations",
  Conv1d = "convolution", Conv2d = "convolution", ConvTranspose2d = "convolution",
  MaxPool2d = "pooling", AvgPool2d = "pooling", AdaptiveAvgPool2d = "pooling",
  AdaptiveMaxPool2d = "pooling",
  BatchNorm1d = "batch_norm", BatchNorm2d = "batch_norm",
  CrossEntropyLoss = "losses", NLLLoss = "losses", MSELoss = "losses", L1Loss = "losses",
  HuberLoss = "losses", SmoothL1Loss = "losses", BCELoss = "losses", BCEWithLogitsLoss = "losses",
  KLDivLoss = "losses",
})
