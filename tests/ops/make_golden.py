"""Writes golden.lua: what PyTorch answers for a few calls of each op. Run by hand when a case is
added: python3 tests/ops/make_golden.py > tests/ops/golden.lua. Inputs are f32 unless named."""
import textwrap

import torch
import torch.nn.functional as F

torch.manual_seed(20)
torch.set_num_threads(1)
CASES = []


def numbers(t):
    if t.dtype == torch.bool:
        t = t.int()
    values = ["%.9g" % v for v in t.detach().flatten().tolist()]
    lines = [", ".join(values[i:i + 5]) for i in range(0, len(values), 5)]
    return "{ " + ",\n        ".join(lines) + " }"


def array(t):
    if t is None:
        return "false"
    dtype = {torch.int64: "i64", torch.bool: "bool", torch.float32: "f32",
             torch.bfloat16: "bf16", torch.float16: "f16"}[t.dtype]
    shape = "{ " + ", ".join(map(str, t.shape)) + " }"
    return '{ shape = %s, dtype = "%s",\n      data = %s }' % (shape, dtype, numbers(t))


def real(*shape, low=-2.0, high=2.0):
    return torch.empty(shape).uniform_(low, high)


def case(op, f, inputs, attributes="", grad=True):
    """f in PyTorch; inputs as Perilune takes them, whole numbers being positions from 1."""
    arguments = []
    for t in inputs:
        if t is not None and t.dtype == torch.int64:
            arguments.append(torch.where(t > 0, t - 1, t))
        elif t is not None and grad and t.is_floating_point():
            arguments.append(t.clone().requires_grad_())
        else:
            arguments.append(t)
    y = f(*arguments)
    head = '  { op = "%s", attributes = { %s }, inputs = {' % (op, attributes)
    lines = textwrap.wrap(head, 100, subsequent_indent="    ", break_on_hyphens=False)
    lines += ["    %s," % array(t) for t in inputs]
    lines.append("  }, output = %s," % array(y))
    if grad:
        cotangent = real(*y.shape).to(y.dtype)
        (y * cotangent).sum().backward()
        lines.append("  cotangent = %s, gradients = {" % array(cotangent))
        for t in arguments:
            g = t.grad if t is not None and t.requires_grad else None
            lines.append("    %s," % array(g))
        lines.append("  }")
    lines.append("  },")
    CASES.append("\n".join(lines))


def pointwise():
    names = "neg abs square relu exp expm1 sin cos tanh sigmoid erf floor ceil round".split()
    for name in names:
        case(name, getattr(torch, name), [real(9)])
    for name in "log log1p sqrt rsqrt reciprocal".split():
        case(name, getattr(torch, name), [real(9, low=0.1, high=4)])
    for name in "softplus silu gelu".split():
        case(name, getattr(F, name), [real(9, low=-5, high=5)])
    case("leaky_relu", lambda x: F.leaky_relu(x, 0.2), [real(7)], "slope = 0.2")
    case("elu", lambda x: F.elu(x, 1.5), [real(7)], "alpha = 1.5")
    case("clamp", lambda x: x.clamp(-1, 0.5), [real(9)], "min = -1, max = 0.5")
    for name in "add sub mul div maximum minimum".split():
        case(name, getattr(torch, name), [real(2, 3), real(3)])
    case("pow", torch.pow, [real(2, 3, low=0.2), real(2, 1)])
    case("where", torch.where, [torch.tensor([True, False, True]), real(2, 3), real(3)])


def reductions():
    x = real(3, 4)
    for name in "sum mean prod".split():
        case(name, lambda x, f=getattr(torch, name): f(x), [x])
        case(name, lambda x, f=getattr(torch, name): f(x, 1, keepdim=True), [x],
             "axes = { 2 }, keepdim = true")
    case("max", lambda x: x.amax(0), [x], "axes = { 1 }")
    case("min", lambda x: x.amin(1), [x], "axes = { 2 }")
    case("max", lambda x: x.amax(1), [torch.tensor([[1.0, 3, 3], [2, 2, 2]])], "axes = { 2 }")
    case("logsumexp", lambda x: x.logsumexp(1), [x], "axes = { 2 }")
    case("var", lambda x: x.var(1), [x], "axes = { 2 }")
    case("var", lambda x: x.var((0, 1), correction=0), [x], "correction = 0")
    case("softmax", lambda x: x.softmax(-1), [x])
    case("softmax", lambda x: x.softmax(0), [x], "axis = 1")
    case("log_softmax", lambda x: x.log_softmax(-1), [x])
    case("cumsum", lambda x: x.cumsum(1), [x], "axis = 2")
    case("flip", lambda x: x.flip(0), [x], "axes = { 1 }")


def products():
    case("matmul", torch.matmul, [real(3, 5), real(5, 4)])
    case("matmul", torch.matmul, [real(2, 3, 5), real(5, 4)])
    case("matmul", torch.matmul, [real(2, 1, 3, 2), real(2, 2, 2)])
    case("matmul", torch.matmul, [real(5), real(5, 2)])
    case("linear", F.linear, [real(3, 5), real(4, 5), real(4)])
    case("linear", F.linear, [real(2, 2, 3), real(4, 3), None])
    case("linear", lambda x, w, b: F.linear(x, w, b).relu(), [real(3, 5), real(4, 5), real(4)],
         'activation = "relu"')


def indexing():
    rows = torch.tensor([2, 1, 2, 4])
    case("index_select", lambda x, i: x.index_select(0, i), [real(4, 2), rows], "axis = 1")
    case("index_add", lambda x, s, i: x.index_add(0, i, s), [real(4, 2), real(4, 2), rows],
         "axis = 1")
    table = torch.tensor([[1, 2], [3, 3]])
    case("gather", lambda x, i: x.gather(1, i), [real(2, 3), table], "axis = 2")
    case("scatter_add", lambda x, s, i: x.scatter_add(1, i, s), [real(2, 3), real(2, 2), table],
         "axis = 2")
    case("embedding", lambda w, i: F.embedding(i, w), [real(4, 3), table])
    case("embedding", lambda w, i: F.embedding(i, w, padding_idx=2), [real(4, 3), table],
         "padding = 3")


def sorting():
    x = real(3, 5)
    case("sort", lambda x: x.sort()[0], [x])
    case("sort", lambda x: x.sort(0, descending=True)[0], [x], "axis = 1, descending = true")


def losses():
    target = torch.tensor([1, 3, 2, 3])
    for reduction in "mean", "sum", "none":
        r = 'reduction = "%s"' % reduction
        for weight in None, real(3, low=0.3, high=2):
            for smoothing in 0.0, 0.1:
                case("cross_entropy",
                     lambda x, t, w, s=smoothing: F.cross_entropy(
                         x, t, None if w is None else w.detach(), reduction=reduction,
                         label_smoothing=s),
                     [real(4, 3), target, weight], r + ", label_smoothing = %g" % smoothing)
            case("cross_entropy",
                 lambda x, t, w: F.cross_entropy(x, t, None if w is None else w.detach(),
                                                 ignore_index=2, reduction=reduction),
                 [real(4, 3), target, weight], r + ", ignore_index = 3")
            case("nll_loss",
                 lambda x, t, w: F.nll_loss(x, t, None if w is None else w.detach(),
                                            reduction=reduction),
                 [real(4, 3), target, weight], r)
        pairs = [("mse_loss", F.mse_loss), ("l1_loss", F.l1_loss), ("huber_loss", F.huber_loss),
                 ("bce_with_logits", F.binary_cross_entropy_with_logits)]
        for name, f in pairs:
            case(name, lambda x, y, f=f: f(x, y, reduction=reduction),
                 [real(2, 3), real(2, 3, low=0.1, high=0.9)], r)
    case("huber_loss", lambda x, y: F.huber_loss(x, y, delta=0.5), [real(5), real(5)],
         "delta = 0.5")


def soft_targets():
    torch.manual_seed(21)
    shares = torch.tensor([[0.25, 0.75, 0], [1, 0, 0], [0.2, 0.3, 0.5], [0, 0.9, 0.3]])
    for reduction in "mean", "sum", "none":
        for weight in None, real(3, low=0.3, high=2):
            for smoothing in 0.0, 0.1:
                case("soft_cross_entropy",
                     lambda x, t, w, s=smoothing: F.cross_entropy(
                         x, t, None if w is None else w.detach(), reduction=reduction,
                         label_smoothing=s),
                     [real(4, 3), shares, weight],
                     'reduction = "%s", label_smoothing = %g' % (reduction, smoothing))


def padded():
    torch.manual_seed(22)
    case("pad", lambda x: F.pad(x, (1, 2)), [real(2, 3)], "padding = { 1, 2 }")
    case("pad", lambda x: F.pad(x, (-1, 1, 2, 0), value=0.5), [real(2, 3)],
         "padding = { -1, 1, 2, 0 }, value = 0.5")
    case("conv_transpose2d",
         lambda x, w, b: F.conv_transpose2d(x, w, b, stride=(1, 2), dilation=(3, 2), padding=1,
                                            output_padding=(2, 1)),
         [real(1, 2, 2, 3), real(2, 1, 2, 2), real(1)],
         "stride = { 1, 2 }, dilation = { 3, 2 }, padding = 1, output_padding = { 2, 1 }")


def images():
    """Convolutions, pooling and normalisation."""
    case("conv2d", lambda x, w, b: F.conv2d(x, w, b, padding=1),
         [real(2, 2, 4, 5), real(3, 2, 3, 3), real(3)], "padding = 1")
    case("conv2d", lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=(1, 2), dilation=(1, 2),
                                            groups=2),
         [real(1, 4, 5, 5), real(2, 2, 3, 2), real(2)],
         "stride = { 2, 1 }, padding = { 1, 2 }, dilation = { 1, 2 }, groups = 2")
    case("conv2d", lambda x, w, b: F.conv2d(x, w, groups=3),
         [real(2, 3, 4, 4), real(6, 1, 3, 3), None],
         "groups = 3")
    case("conv_transpose2d",
         lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=(1, 0)),
         [real(2, 3, 3, 2), real(3, 2, 3, 3), real(2)],
         "stride = 2, padding = 1, output_padding = { 1, 0 }")
    case("conv_transpose2d", lambda x, w, b: F.conv_transpose2d(x, w, b, groups=2, dilation=2),
         [real(1, 4, 2, 3), real(4, 1, 2, 2), real(2)], "groups = 2, dilation = 2")
    case("max_pool2d", lambda x: F.max_pool2d(x, 2), [real(1, 2, 4, 4)], "kernel = 2")
    case("max_pool2d", lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), [real(1, 1, 6, 5)],
         "kernel = 3, stride = 2, padding = 1, ceil_mode = true")
    case("max_pool2d", lambda x: F.max_pool2d(x, 2, 1), [torch.ones(1, 1, 3, 3)],
         "kernel = 2, stride = 1")
    case("avg_pool2d", lambda x: F.avg_pool2d(x, 3, 2, 1), [real(1, 2, 5, 5)],
         "kernel = 3, stride = 2, padding = 1")
    case("avg_pool2d", lambda x: F.avg_pool2d(x, 3, 2, 1, True, False), [real(1, 1, 6, 6)],
         "kernel = 3, stride = 2, padding = 1, ceil_mode = true, count_include_pad = false")
    case("avg_pool2d", lambda x: F.avg_pool2d(x, 3, 2, 1, True), [real(1, 1, 6, 6)],
         "kernel = 3, stride = 2, padding = 1, ceil_mode = true")
    case("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, (2, 3)), [real(1, 2, 5, 7)],
         "sizes = { 2, 3 }")
    case("adaptive_max_pool2d", lambda x: F.adaptive_max_pool2d(x, 3), [real(1, 1, 5, 4)],
         "sizes = 3")
    case("batch_norm", lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
         [real(4, 2, 3), real(2), real(2)], "training = true")
    case("batch_norm", lambda x, w, b: F.batch_norm(x, None, None, w, b, True, eps=0.1),
         [real(5, 3), real(3), real(3)], "training = true, eps = 0.1")
    mean, var = real(2), real(2, low=0.5)
    case("batch_norm", lambda x, w, b, m, v: F.batch_norm(x, m.detach(), v.detach(), w, b),
         [real(3, 2, 2), real(2), real(2), mean, var])
    case("layer_norm", lambda x, w, b: F.layer_norm(x, (4,), w, b),
         [real(2, 3, 4), real(4), real(4)])
    case("layer_norm", lambda x, w, b: F.layer_norm(x, (3, 4), w, b, 0.1),
         [real(2, 3, 4), real(3, 4), real(3, 4)], "axes = { -2, -1 }, eps = 0.1")
    case("group_norm", lambda x, w, b: F.group_norm(x, 2, w, b), [real(2, 4, 3), real(4), real(4)],
         "groups = 2")


def running_statistics(lines):
    """What two training batches leave in a BatchNorm2d."""
    layer = torch.nn.BatchNorm2d(2, momentum=0.3)
    lines.append("  batches = {")
    for _ in range(2):
        x = real(3, 2, 2, 2)
        layer(x)
        lines.append("    { x = %s,\n      mean = %s, var = %s }," % (
            array(x), numbers(layer.running_mean), numbers(layer.running_var)))
    lines.append("  },")


def recurrent(lines, name, layer, states):
    """Two layers in both directions, from given states: outputs, states and gradients."""
    x, given = real(4, 2, 3), [real(4, 2, 2) for _ in range(states)]
    inputs = [t.clone().requires_grad_() for t in [x] + given]
    y, last = layer(inputs[0], tuple(inputs[1:]) if states > 1 else inputs[1])
    last = last if states > 1 else (last,)
    loss = (y * y.detach().flip(0)).sum()
    for i, t in enumerate(last):
        loss = loss + (t * (i + 1)).sum()
    loss.backward()
    lines.append('  { name = "%s", x = %s,\n    y = %s,' % (name, array(x), array(y)))
    for field, tensors in ("states", given), ("last", last), ("gradients", [t.grad for t in inputs]):
        lines.append("  %s = {" % field)
        lines += ["    %s," % array(t) for t in tensors]
        lines.append("  },")
    lines.append("  parameters = {")
    lines += ['    { "%s", %s,\n      %s },' % (name, array(p), array(p.grad))
              for name, p in layer.named_parameters()]
    lines.append("  } },")


def halves():
    """A row or two of each family in the half types; drawn apart from the others."""
    for dtype in torch.bfloat16, torch.float16:
        def half(*shape, **bounds):
            return real(*shape, **bounds).to(dtype)
        case("gelu", F.gelu, [half(9)])
        case("mul", torch.mul, [half(2, 3), half(3)])
        case("sum", lambda x: x.sum(1), [half(2, 40, low=0)], "axes = { 2 }")
        case("softmax", lambda x: x.softmax(-1), [half(3, 5)])
        case("matmul", torch.matmul, [half(3, 9), half(9, 4)])
        case("linear", F.linear, [half(3, 9), half(4, 9), half(4)])
        case("conv2d", lambda x, w, b: F.conv2d(x, w, b, padding=1),
             [half(3, 2, 5, 4), half(3, 2, 3, 3), half(3)], "padding = 1")
        case("max_pool2d", lambda x: F.max_pool2d(x, 2), [half(2, 2, 4, 4)], "kernel = 2")
        case("layer_norm", lambda x, w, b: F.layer_norm(x, (6,), w, b),
             [half(4, 6), half(6), half(6)])
        case("batch_norm", lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
             [half(4, 3, 2, 2), real(3), real(3)], "training = true")
        case("embedding", lambda w, i: F.embedding(i, w), [half(4, 3), torch.tensor([2, 1, 2])])
        case("cross_entropy", F.cross_entropy, [half(4, 5), torch.tensor([5, 1, 2, 1])])


def activations(lines):
    """Layers that are made of several ops: values and gradients around their kinks."""
    nn = torch.nn
    layers = [("GELU", 'approximate = "tanh"', nn.GELU("tanh")), ("Softplus", "", nn.Softplus()),
              ("Softplus", "beta = 2", nn.Softplus(2)), ("LogSigmoid", "", nn.LogSigmoid()),
              ("Mish", "", nn.Mish()), ("Softsign", "", nn.Softsign()),
              ("Hardtanh", "min_val = -2", nn.Hardtanh(-2)), ("ReLU6", "", nn.ReLU6()),
              ("Hardsigmoid", "", nn.Hardsigmoid()), ("Hardswish", "", nn.Hardswish()),
              ("SELU", "", nn.SELU()), ("CELU", "alpha = 0.5", nn.CELU(0.5)),
              ("PReLU", "num_parameters = 3, init = 0.1", nn.PReLU(3, 0.1))]
    for name, options, layer in layers:
        x = real(2, 3, 2, low=-8, high=8).requires_grad_()
        y = layer(x)
        y.square().sum().backward()
        grad = array(layer.weight.grad) if name == "PReLU" else "false"
        lines.append('  { name = "%s", options = { %s },\n    x = %s,\n    y = %s,\n    gradient = %s,'
                     '\n    of_weight = %s },' % (name, options, array(x), array(y), array(x.grad),
                                                  grad))


def sgd(lines):
    """Three steps of torch.optim.SGD with every option."""
    for options in (dict(lr=0.1), dict(lr=0.1, momentum=0.9),
                    dict(lr=0.05, momentum=0.9, nesterov=True),
                    dict(lr=0.1, momentum=0.5, dampening=0.3), dict(lr=0.1, weight_decay=0.2),
                    dict(lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True, maximize=True)):
        p = real(5)
        start, steps = numbers(p), []
        p.requires_grad_()
        optimizer = torch.optim.SGD([p], **options)
        for _ in range(3):
            p.grad = real(5)
            optimizer.step()
            steps.append("{ gradient = %s,\n      after = %s }" % (numbers(p.grad), numbers(p)))
        lua = ", ".join("%s = %s" % (k, str(v).lower()) for k, v in options.items())
        lines.append("  { options = { %s },\n    start = %s,\n    steps = { %s } }," % (
            lua, start, ",\n    ".join(steps)))


def mlp(lines):
    """Five steps of a small classifier: relu layers, cross-entropy, SGD with momentum."""
    sizes = [6, 5, 4, 3]
    layers = [torch.nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]
    model = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    lines.append("  parameters = {")
    lines += ["    %s," % array(p) for p in model.parameters()]
    lines.append("  },")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    lines.append("  steps = {")
    for _ in range(5):
        x, target = real(8, 6), torch.randint(0, 3, (8,))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        lines.append("    { x = %s,\n      target = %s, loss = %.9g }," % (
            array(x), numbers(target + 1), loss.item()))
    lines.append("  },\n  after = {")
    lines += ["    %s," % array(p) for p in model.parameters()]
    lines.append("  },")


pointwise()
reductions()
products()
indexing()
losses()
images()
with torch.random.fork_rng():     # what follows keeps its numbers
    sorting()
for later in halves, soft_targets, padded:    # they leave the numbers of all others as they are
    with torch.random.fork_rng():
        later()
version = torch.__version__.split("+")[0]
print("-- Written by make_golden.py with PyTorch %s. Do not edit." % version)
print("return { ops = {")
print("\n".join(CASES))
print("}, sgd = {")
lines = []
sgd(lines)
print("\n".join(lines))
print("}, batch_norm = {")
lines = []
running_statistics(lines)
print("\n".join(lines))
print("}, recurrent = {")
lines = []
for name, states in ("LSTM", 2), ("GRU", 1), ("RNN", 1):
    layer = getattr(torch.nn, name)(3, 2, num_layers=2, bidirectional=True)
    recurrent(lines, name, layer, states)
print("\n".join(lines))
print("}, mlp = {")
lines = []
mlp(lines)
print("\n".join(lines))
print("}, activations = {")
lines = []
activations(lines)
print("\n".join(lines))
print("} }")
