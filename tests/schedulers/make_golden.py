"""Writes golden.lua: what torch's schedulers (and pytorch-accelerated's, where the two agree) make of
two parameter groups. Run: python make_golden.py > golden.lua
"""
import textwrap

import torch
from torch.optim import lr_scheduler as S

UPDATES = 26


def make_optimizer(kind="SGD"):
    groups = [{"params": [torch.zeros(1)]}, {"params": [torch.zeros(1)], "lr": 0.2}]
    options = dict(momentum=0.9) if kind == "SGD" else {}
    return getattr(torch.optim, kind)(groups, lr=0.5, **options)


def wrapped(text):
    return textwrap.fill(text, 96, break_long_words=False, break_on_hyphens=False)


def numbers(values):
    return wrapped("{ %s }" % ", ".join("%.15g" % v for v in values))


def momentum_of(group):
    return group["betas"][0] if "betas" in group else group["momentum"]


def walk(title, make, lua, kind="SGD", updates=UPDATES, momentum=False):
    """Prints the values of every update as the scheduler `lua` makes should give them."""
    optimizer = make_optimizer(kind)
    scheduler = make(optimizer)
    rows, momenta = [[], []], [[], []]
    for n in range(updates):
        for g, group in enumerate(optimizer.param_groups):
            rows[g].append(group["lr"])
            momenta[g].append(momentum_of(group))
        optimizer.step()
        scheduler.step()
    print('{ name = "%s", optimizer = "%s", make = function(S, o)\n%s\nend, values = {' % (
        title, kind, lua))
    print(",\n".join(map(numbers, rows)) + " },")
    if momentum:
        print("momentum = {\n" + ",\n".join(map(numbers, momenta)) + " },")
    print("},")


def plateau(title, options, lua, metrics):
    optimizer = make_optimizer()
    scheduler = S.ReduceLROnPlateau(optimizer, **options)
    rows = [[], []]
    for m in metrics:
        scheduler.step(m)
        for g, group in enumerate(optimizer.param_groups):
            rows[g].append(group["lr"])
    print('{ name = "%s", options = { %s }, metrics =\n%s, values = {' % (title, lua, numbers(metrics)))
    print(",\n".join(map(numbers, rows)) + " } },")


print("-- Written by make_golden.py with PyTorch %s. Do not edit." % torch.__version__.split("+")[0])
print("return { walks = {")
walk("StepLR", lambda o: S.StepLR(o, 4, gamma=0.5), "return S.StepLR(o, 4, { gamma = 0.5 })")
walk("MultiStepLR", lambda o: S.MultiStepLR(o, [3, 3, 9, 20], gamma=0.5),
     "return S.MultiStepLR(o, { 3, 3, 9, 20 }, { gamma = 0.5 })")
walk("ConstantLR", lambda o: S.ConstantLR(o), "return S.ConstantLR(o)")
walk("ConstantLR, options", lambda o: S.ConstantLR(o, factor=0.25, total_iters=8),
     "return S.ConstantLR(o, { factor = 0.25, total_iters = 8 })")
walk("LinearLR", lambda o: S.LinearLR(o), "return S.LinearLR(o)")
walk("LinearLR, options", lambda o: S.LinearLR(o, start_factor=0.9, end_factor=0.1, total_iters=17),
     "return S.LinearLR(o, { start_factor = 0.9, end_factor = 0.1, total_iters = 17 })")
walk("ExponentialLR", lambda o: S.ExponentialLR(o, 0.9), "return S.ExponentialLR(o, 0.9)")
walk("PolynomialLR", lambda o: S.PolynomialLR(o), "return S.PolynomialLR(o)")
walk("PolynomialLR, options", lambda o: S.PolynomialLR(o, total_iters=20, power=2.5),
     "return S.PolynomialLR(o, { total_iters = 20, power = 2.5 })")
walk("CosineAnnealingLR", lambda o: S.CosineAnnealingLR(o, 25), "return S.CosineAnnealingLR(o, 25)")
walk("CosineAnnealingLR, up again", lambda o: S.CosineAnnealingLR(o, 7, eta_min=0.01),
     "return S.CosineAnnealingLR(o, 7, { eta_min = 0.01 })")
walk("CosineAnnealingWarmRestarts", lambda o: S.CosineAnnealingWarmRestarts(o, 6),
     "return S.CosineAnnealingWarmRestarts(o, 6)")
walk("CosineAnnealingWarmRestarts, options",
     lambda o: S.CosineAnnealingWarmRestarts(o, 3, T_mult=2, eta_min=0.02),
     "return S.CosineAnnealingWarmRestarts(o, 3, { T_mult = 2, eta_min = 0.02 })")
walk("OneCycleLR", lambda o: S.OneCycleLR(o, 2.0, total_steps=26),
     "return S.OneCycleLR(o, 2, { total_steps = 26 })", momentum=True)
walk("OneCycleLR, linear, of groups",
     lambda o: S.OneCycleLR(o, [2.0, 1.0], epochs=6, steps_per_epoch=5, anneal_strategy="linear",
                            pct_start=0.4, base_momentum=0.5, max_momentum=0.8, div_factor=10,
                            final_div_factor=100),
     """return S.OneCycleLR(o, { 2, 1 }, { epochs = 6, steps_per_epoch = 5, pct_start = 0.4,
  anneal_strategy = "linear", base_momentum = 0.5, max_momentum = 0.8, div_factor = 10,
  final_div_factor = 100 })""", momentum=True)
walk("OneCycleLR, three phases, Adam",
     lambda o: S.OneCycleLR(o, 1.0, total_steps=26, three_phase=True),
     "return S.OneCycleLR(o, 1, { total_steps = 26, three_phase = true })", "Adam", momentum=True)
walk("OneCycleLR without momentum",
     lambda o: S.OneCycleLR(o, 1.0, total_steps=27, cycle_momentum=False),
     "return S.OneCycleLR(o, 1, { total_steps = 27, cycle_momentum = false })", momentum=True)
walk("CyclicLR", lambda o: S.CyclicLR(o, 0.1, 1.0, step_size_up=4),
     "return S.CyclicLR(o, 0.1, 1, { step_size_up = 4 })", momentum=True)
walk("CyclicLR, triangular2, Adam",
     lambda o: S.CyclicLR(o, [0.1, 0.2], 1.0, step_size_up=4, step_size_down=2, mode="triangular2"),
     """return S.CyclicLR(o, { 0.1, 0.2 }, 1, { step_size_up = 4, step_size_down = 2,
  mode = "triangular2" })""", "Adam", momentum=True)
walk("CyclicLR, exp_range",
     lambda o: S.CyclicLR(o, 0.1, 1.0, step_size_up=5, mode="exp_range", gamma=0.95,
                          base_momentum=0.4, max_momentum=0.7),
     """return S.CyclicLR(o, 0.1, 1, { step_size_up = 5, mode = "exp_range", gamma = 0.95,
  base_momentum = 0.4, max_momentum = 0.7 })""", momentum=True)
walk("CyclicLR, a function",
     lambda o: S.CyclicLR(o, 0.1, 1.0, step_size_up=5, scale_fn=lambda x: 1 / (1 + x),
                          scale_mode="iterations", cycle_momentum=False),
     """return S.CyclicLR(o, 0.1, 1, { step_size_up = 5, scale_mode = "iterations",
  scale_fn = function(x) return 1 / (1 + x) end, cycle_momentum = false })""", momentum=True)
walk("LambdaLR", lambda o: S.LambdaLR(o, [lambda n: 0.9 ** n, lambda n: 1 / (n + 1)]),
     """return S.LambdaLR(o, { function(n) return 0.9 ^ n end, function(n) return 1 / (n + 1) end })""")
walk("MultiplicativeLR", lambda o: S.MultiplicativeLR(o, lambda n: 0.9 if n % 3 else 1.1),
     "return S.MultiplicativeLR(o, function(n) return n % 3 == 0 and 1.1 or 0.9 end)")
walk("SequentialLR",
     lambda o: S.SequentialLR(o, [S.LinearLR(o, start_factor=0.1, total_iters=5), S.ConstantLR(o),
                                  S.ExponentialLR(o, 0.9)], [5, 12]),
     """return S.SequentialLR(o, { S.LinearLR(o, { start_factor = 0.1, total_iters = 5 }),
  S.ConstantLR(o), S.ExponentialLR(o, 0.9) }, { 5, 12 })""")
walk("SequentialLR, warmup and cosine",
     lambda o: S.SequentialLR(o, [S.LinearLR(o, start_factor=0.01, total_iters=6),
                                  S.CosineAnnealingLR(o, 20)], [6]),
     """return S.SequentialLR(o, { S.LinearLR(o, { start_factor = 0.01, total_iters = 6 }),
  S.CosineAnnealingLR(o, 20) }, { 6 })""")
walk("ChainedScheduler",
     lambda o: S.ChainedScheduler([S.ConstantLR(o), S.ExponentialLR(o, 0.9), S.StepLR(o, 7)]),
     """return S.ChainedScheduler(o, { S.ConstantLR(o), S.ExponentialLR(o, 0.9),
  S.StepLR(o, 7) })""")
print("}, plateaus = {")
METRICS = [5, 4, 4, 3.9999, 4, 4, 4.5, 3, 3, 3, 3, 3, 3, 2.99, 2.98, 3, 3, 3, 3, 3, 3, 3]
plateau("patience", dict(patience=2), "patience = 2", METRICS)
plateau("cooldown, absolute", dict(patience=1, cooldown=3, factor=0.5, threshold=0.5,
                                   threshold_mode="abs", min_lr=[0.2, 0.01]),
        """patience = 1, cooldown = 3, factor = 0.5,
  threshold = 0.5, threshold_mode = "abs", min_lr = { 0.2, 0.01 }""", METRICS)
plateau("more is better", dict(mode="max", patience=3, factor=0.3),
        'mode = "max", patience = 3, factor = 0.3', METRICS)
print("}, cosine = {")


def accelerated():
    """CosineLrScheduler and WSDLrScheduler asked for their values, where theirs are right."""
    import logging
    logging.disable(logging.CRITICAL)
    from pytorch_accelerated.schedulers import CosineLrScheduler, WSDLrScheduler
    cosines = [
        (dict(total_num_epochs=5, num_update_steps_per_epoch=5), "{}"),
        (dict(total_num_epochs=5, num_update_steps_per_epoch=5, k_decay=2.0, lr_min=0.01,
              num_cooldown_epochs=1), "{ k_decay = 2, lr_min = 0.01, num_cooldown_epochs = 1 }"),
        (dict(total_num_epochs=5, num_update_steps_per_epoch=5, k_decay=0.5, min_lr_ratio=0.1),
         "{ k_decay = 0.5, min_lr_ratio = 0.1 }")]
    for options, lua in cosines:
        scheduler = CosineLrScheduler(make_optimizer(), **options)
        rows = zip(*[scheduler.get_updated_values(n) for n in range(28)])
        print("{ options = %s, values = {\n%s } }," % (lua, ",\n".join(map(numbers, rows))))
    print("}, wsd = {")
    wsds = [
        (dict(total_steps=40), "{ total_steps = 40 }"),
        (dict(num_epochs=4, num_update_steps_per_epoch=10, num_warmup_steps=6,
              decay_phase_ratio=0.3, lr_min=0.05, num_checkpoints=3, warmup_starting_lr=0.01),
         """{ num_epochs = 4, num_update_steps_per_epoch = 10,
  num_warmup_steps = 6, decay_phase_ratio = 0.3, lr_min = 0.05, num_checkpoints = 3,
  warmup_starting_lr = 0.01 }"""),
        (dict(total_steps=40, decay_phase_ratio=0.25, lr_min=0.1, use_inverse_sqrt_decay=False),
         "{ total_steps = 40, decay_phase_ratio = 0.25, lr_min = 0.1,\n"
         "  use_inverse_sqrt_decay = false }")]
    for options, lua in wsds:
        scheduler = WSDLrScheduler(make_optimizer(), **options)
        rows = zip(*[scheduler.get_updated_values(n) for n in range(40)])
        print("{ options = %s, checkpoints = { %s }, values = {\n%s } }," % (
            lua, ", ".join(map(str, scheduler.get_checkpoint_steps())),
            ",\n".join(map(numbers, rows))))


accelerated()
print("} }")
