-- Layers for images: shapes, PyTorch's names, defaults and texts, running statistics, errors; and a
-- small net that learns.

local pl = require "perilune"
local nn = pl.nn

local function names_of(module)
  local names = {}
  for name in module:named_parameters() do names[#names + 1] = name end
  for name in module:named_buffers() do names[#names + 1] = name end
  return names
end

local function message_of(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return tostring(err)
end

describe("Conv2d", function()
  it("has PyTorch's shapes and text", function()
    local layer = nn.Conv2d(2, 4, { 3, 5 }, { stride = 2, padding = { 1, 2 }, groups = 2 })
    assert.same({ 4, 1, 3, 5 }, layer.weight.shape)
    assert.same({ 4 }, layer.bias.shape)
    assert.same({ "weight", "bias" }, names_of(layer))
    assert.same({ 3, 4, 4, 5 }, layer(pl.randn(3, 2, 8, 9)).shape)
    assert.equal("Conv2d(2, 4, kernel_size=(3, 5), stride=(2, 2), padding=(1, 2), groups=2)",
      tostring(layer))
    assert.equal("Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), bias=false)",
      tostring(nn.Conv2d(1, 2, 3, { bias = false })))
  end)

  it("pads to the same size, the odd element behind, as PyTorch does", function()
    local layer = nn.Conv2d(1, 1, { 2, 4 }, { padding = "same", bias = false })
    pl.no_grad(layer.weight.copy_, layer.weight, pl.arange(1, 8):reshape(1, 1, 2, 4))
    local x = pl.arange(1, 12):to("f32"):reshape(1, 1, 3, 4):requires_grad_(true)
    local y = layer(x)
    assert.same({ { { { 148, 204, 148, 94 }, { 268, 348, 244, 150 }, { 92, 110, 68, 35 } } } },
      y:totable())
    y:sum():backward()
    assert.same(x.shape, x.grad.shape)
    assert.equal("Conv2d(1, 1, kernel_size=(2, 4), stride=(1, 1), padding=same, bias=false)",
      tostring(layer))
    assert.same({ 2, 3, 7, 9 }, nn.Conv2d(1, 3, 3, { padding = "same", dilation = 2 })(
      pl.randn(2, 1, 7, 9)).shape)
    assert.same({ 2, 3, 5, 7 }, nn.Conv2d(1, 3, 3, { padding = "valid" })(
      pl.randn(2, 1, 7, 9)).shape)
  end)

  it("draws its parameters within 1 / sqrt(fan in)", function()
    local layer = nn.Conv2d(8, 64, 3)
    local bound = 1 / math.sqrt(8 * 9)
    for _, p in ipairs(layer:parameters()) do
      local most = p:abs():max():item()
      assert.is_true(most <= bound and most > 0.8 * bound)
    end
  end)

  it("says what does not fit", function()
    local layer = nn.Conv2d(3, 8, 3)
    assert.matches("input has 1 channels, weight expects 3",
      message_of(layer, pl.randn(2, 1, 8, 8)))
    assert.matches("does not fit into height 2", message_of(layer, pl.randn(2, 3, 2, 8)))
    assert.matches("not divisible by groups 2", message_of(nn.Conv2d, 3, 8, 3, { groups = 2 }))
    assert.matches("kernel_size must be an integer or", message_of(nn.Conv2d, 3, 8, { 1, 2, 3 }))
    assert.matches("padding is sizes, 'same' or 'valid', not 'sam' %(did you mean 'same'%?%)",
      message_of(nn.Conv2d, 3, 8, 3, { padding = "sam" }))
    assert.matches("padding 'same' needs stride 1",
      message_of(nn.Conv2d, 3, 8, 3, { padding = "same", stride = 2 }))
  end)
end)

describe("ConvTranspose2d", function()
  it("turns the shapes of Conv2d around", function()
    local down = nn.Conv2d(2, 6, 3, { stride = 2, padding = 1 })
    local up = nn.ConvTranspose2d(6, 2, 3, { stride = 2, padding = 1, output_padding = 1 })
    local x = pl.randn(2, 2, 8, 8)
    assert.same({ 6, 2, 3, 3 }, up.weight.shape)
    assert.same(x.shape, up(down(x)).shape)
    assert.equal("ConvTranspose2d(6, 2, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), "
      .. "output_padding=(1, 1))", tostring(up))
  end)
end)

describe("Conv1d", function()
  it("pads to the same length, the odd element behind, as PyTorch does", function()
    local x = pl.arange(1, 6):to("f32"):reshape(1, 1, 6)
    local function convolved(weight, dilation)
      local layer = nn.Conv1d(1, 1, #weight,
        { padding = "same", dilation = dilation, bias = false })
      pl.no_grad(layer.weight.copy_, layer.weight, pl.tensor{ { weight } })
      return layer(x):totable()[1][1]
    end
    assert.same({ 20, 30, 40, 50, 32, 17 }, convolved({ 1, 2, 3, 4 }))
    assert.same({ 6, 9, 12, 15, 4, 5 }, convolved({ 1, 2 }, 3))
  end)

  it("is Conv2d of height 1", function()
    local layer = nn.Conv1d(2, 3, 3, { padding = 1, stride = 2 })
    assert.same({ 3, 2, 3 }, layer.weight.shape)
    local x = pl.randn(4, 2, 7)
    local y = layer(x)
    local want = x:unsqueeze(3):conv2d(layer.weight:unsqueeze(3), layer.bias,
      { stride = { 1, 2 }, padding = { 0, 1 } })
    assert.same({ 4, 3, 4 }, y.shape)
    assert.is_true(y:eq(want:squeeze(3)):all():item())
    assert.equal("Conv1d(2, 3, kernel_size=(3,), stride=(2,), padding=(1,))", tostring(layer))
  end)
end)

describe("pooling", function()
  local x = pl.arange(1, 16):reshape(1, 1, 4, 4):float()

  it("folds windows", function()
    assert.same({ { { { 6, 8 }, { 14, 16 } } } }, nn.MaxPool2d(2)(x):totable())
    assert.same({ { { { 3.5, 5.5 }, { 11.5, 13.5 } } } }, nn.AvgPool2d(2)(x):totable())
    assert.same({ { { { 8.5 } } } }, nn.AdaptiveAvgPool2d(1)(x):totable())
    assert.same({ { { { 8 }, { 16 } } } }, nn.AdaptiveMaxPool2d({ 2, 1 })(x):totable())
    local wide = nn.MaxPool2d(3, { stride = 1, padding = { 1, 0 }, ceil_mode = true })
    assert.same({ 1, 1, 3, 3 }, wide(pl.randn(1, 1, 3, 5)).shape)
  end)

  it("prints as PyTorch's", function()
    assert.equal("MaxPool2d(kernel_size=3, stride=3, padding=0, dilation=1, ceil_mode=false)",
      tostring(nn.MaxPool2d(3)))
    assert.equal("AvgPool2d(kernel_size=(2, 1), stride=1, padding=0)",
      tostring(nn.AvgPool2d({ 2, 1 }, { stride = 1 })))
    assert.equal("AdaptiveAvgPool2d(output_size=(2, 3))", tostring(nn.AdaptiveAvgPool2d { 2, 3 }))
  end)

  it("says what does not fit", function()
    assert.matches("padding 2 is more than half of kernel 3",
      message_of(nn.MaxPool2d(3, { padding = 2 }), x))
    assert.matches("does not fit into height 4", message_of(nn.AvgPool2d(5), x))
  end)
end)

describe("BatchNorm2d", function()
  it("has PyTorch's parameters, buffers and text", function()
    local layer = nn.BatchNorm2d(3)
    assert.same({ "weight", "bias", "running_mean", "running_var", "num_batches_tracked" },
      names_of(layer))
    assert.equal("BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=true, track_running_stats=true)",
      tostring(layer))
  end)

  it("uses the batch in training and the running statistics in evaluation", function()
    local layer = nn.BatchNorm2d(2)
    local x = pl.randn(16, 2, 3, 3):mul(3):add(5)
    local y = layer(x)
    assert.is_true(y:mean():abs():item() < 1e-5)
    assert.is_true(math.abs(y:var{ correction = 0 }:item() - 1) < 1e-3)
    assert.equal(1, tonumber(layer.num_batches_tracked:item()))
    local mean = layer.running_mean:select(1, 1):item()
    assert.is_true(math.abs(mean - 0.1 * x:select(2, 1):mean():item()) < 1e-5)
    layer:eval()
    local other = layer(x)
    assert.equal(mean, layer.running_mean:select(1, 1):item())
    assert.is_true(other:mean():item() > 1)
    assert.equal(1, tonumber(layer.num_batches_tracked:item()))
  end)

  it("without momentum keeps the mean of all batches", function()
    local layer = nn.BatchNorm1d(1, { momentum = false })
    for _, level in ipairs { 1, 2, 6 } do layer(pl.tensor { { level - 1 }, { level + 1 } }) end
    assert.is_true(math.abs(layer.running_mean:select(1, 1):item() - 3) < 1e-5)
    layer:reset_running_stats()
    assert.equal(0, layer.running_mean:select(1, 1):item())
    assert.equal(0, tonumber(layer.num_batches_tracked:item()))
  end)

  it("without running statistics uses the batch in evaluation too", function()
    local layer = nn.BatchNorm2d(2, { track_running_stats = false, affine = false }):eval()
    assert.same({}, names_of(layer))
    assert.is_true(layer(pl.randn(4, 2, 3, 3):add(7)):mean():abs():item() < 1e-5)
  end)

  it("says what does not fit", function()
    assert.matches("expected an input of 4 dimensions, got 2x3",
      message_of(nn.BatchNorm2d(3), pl.randn(2, 3)))
    assert.matches("expected an input of 2 or 3 dimensions",
      message_of(nn.BatchNorm1d(3), pl.randn(2, 3, 4, 4)))
    assert.matches("more than one value per channel", message_of(nn.BatchNorm1d(3), pl.randn(1, 3)))
    assert.matches("one element per channel %(4%)", message_of(nn.BatchNorm1d(3), pl.randn(2, 4)))
  end)
end)

describe("LayerNorm and GroupNorm", function()
  it("normalise the last dimensions, and groups of channels", function()
    local y = nn.LayerNorm { 3, 4 }(pl.randn(2, 3, 4):add(4))
    assert.is_true(y:mean { 2, 3 }:abs():max():item() < 1e-5)
    local z = nn.GroupNorm(2, 4)(pl.randn(2, 4, 5):add(4)):reshape(4, 10)
    assert.is_true(z:mean(2):abs():max():item() < 1e-5)
  end)

  it("print as PyTorch's", function()
    assert.equal("LayerNorm((3, 4), eps=1e-05, elementwise_affine=true)",
      tostring(nn.LayerNorm { 3, 4 }))
    assert.equal("LayerNorm((8,), eps=0.1, elementwise_affine=false)",
      tostring(nn.LayerNorm(8, { eps = 0.1, elementwise_affine = false })))
    assert.equal("GroupNorm(2, 4, eps=1e-05, affine=true)", tostring(nn.GroupNorm(2, 4)))
  end)

  it("say what does not fit", function()
    assert.matches("5 is not shaped like the normalised dimensions of x 2x4",
      message_of(nn.LayerNorm(5), pl.randn(2, 4)))
    assert.matches("does not end in 5",
      message_of(nn.LayerNorm(5, { elementwise_affine = false }), pl.randn(2, 4)))
    assert.matches("4 channels do not form 3 groups", message_of(nn.GroupNorm, 3, 4))
  end)
end)

describe("a small convolutional net", function()
  it("learns 500 images of Fashion-MNIST", function()
    pl.manual_seed(7)
    local net = nn.Sequential(
      nn.Conv2d(1, 8, 3, { padding = 1 }), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
      nn.Conv2d(8, 16, 3, { padding = 1 }), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
      nn.Linear(16 * 49, 10))
    local set = pl.data.Subset(pl.data.FashionMNIST(), pl.arange(1, 500):totable())
    local loader = pl.data.DataLoader(set, { batch_size = 50, shuffle = true })
    local optimizer = pl.optim.SGD(net:parameters(), { lr = 0.05, momentum = 0.9 })
    local losses = {}
    for _ = 1, 3 do
      local total = 0
      for batch in loader:batches() do
        optimizer:zero_grad()
        local loss = net(batch[1]:unsqueeze(2)):cross_entropy(batch[2])
        loss:backward()
        optimizer:step()
        total = total + loss:item()
      end
      losses[#losses + 1] = total / 10
    end
    assert.is_true(losses[1] < 2.3)
    assert.is_true(losses[3] < 0.6 * losses[1], table.concat(losses, " "))
  end)
end)

describe("nn.functional", function()
  local F = nn.functional
  local x = pl.arange(1, 32):float():reshape(1, 2, 4, 4)

  it("pools as the layers do, options by position", function()
    assert.same(nn.MaxPool2d(2)(x):totable(), F.max_pool2d(x, 2):totable())
    assert.same(nn.MaxPool2d(3, 1)(x):totable(), F.max_pool2d(x, 3, 1):totable())
    assert.same({ 1, 2, 3, 3 }, F.avg_pool2d(x, 2, { stride = 1 }).shape)
    assert.same({ 1, 2, 1, 1 }, F.adaptive_avg_pool2d(x, 1).shape)
    assert.same({ 1, 2, 2, 1 }, F.adaptive_max_pool2d(x, { 2, 1 }).shape)
    assert.truthy(message_of(F.max_pool2d, x):find("option 'kernel_size' is required", 1, true))
  end)

  it("convolves as the layer does", function()
    local layer = nn.Conv2d(2, 3, 3, 2, 1)
    assert.same(layer(x):totable(), F.conv2d(x, layer.weight, layer.bias, 2, 1):totable())
    assert.same(layer(x):totable(), F.conv2d(x, layer.weight, layer.bias,
      { stride = 2, padding = 1 }):totable())
    assert.same({ 1, 3, 2, 2 }, F.conv2d(x, layer.weight).shape)
    assert.truthy(message_of(F.conv2d, x, layer.weight, { pading = 1 })
      :find("did you mean 'padding'?", 1, true))
  end)
end)
