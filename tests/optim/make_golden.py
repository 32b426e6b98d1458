"""Writes golden.lua: six steps of torch's optimizers on two parameters, in float32.

The second parameter has no gradient at some steps where `skip` says so; the learning rate is
halved after the third step. Run: python make_golden.py > golden.lua
"""
import textwrap

import torch

torch.manual_seed(3)


def numbers(t):
    text = "{ %s }" % ", ".join("%.9g" % v for v in t.detach().flatten().tolist())
    return textwrap.fill(text, 80, break_long_words=False, break_on_hyphens=False)


def lua(value):
    if isinstance(value, tuple):
        return "{ %s }" % ", ".join(map(lua, value))
    return str(value).lower()


RUNS = [
    ("Adam", {}, ()), ("Adam", dict(lr=0.05, betas=(0.8, 0.9), eps=1e-3), ()),
    ("Adam", dict(lr=0.05, weight_decay=0.3), (1, 2)),
    ("Adam", dict(lr=0.05, amsgrad=True, betas=(0.5, 0.6)), (4, 5)),
    ("Adam", dict(lr=0.05, maximize=True, weight_decay=0.1), ()),
    ("Adam", dict(lr=0.05, weight_decay=0.2, decoupled_weight_decay=True), (1,)),
    ("AdamW", dict(lr=0.05), (1, 3)), ("AdamW", dict(lr=0.1, weight_decay=0.5, amsgrad=True), ()),
    ("AdamW", dict(lr=0.1, weight_decay=0.5, maximize=True), (6,)),
    ("RMSprop", {}, (1,)), ("RMSprop", dict(lr=0.02, alpha=0.7, eps=1e-3, weight_decay=0.2), ()),
    ("RMSprop", dict(lr=0.02, momentum=0.9), (2, 3)),
    ("RMSprop", dict(lr=0.02, centered=True, alpha=0.6), ()),
    ("RMSprop", dict(lr=0.02, centered=True, momentum=0.5, weight_decay=0.1, maximize=True), (1, 2)),
]

print("-- Written by make_golden.py with PyTorch %s. Do not edit." % torch.__version__.split("+")[0])
print("return {")
for name, options, skip in RUNS:
    params = [torch.randn(5), torch.randn(19)]
    print("{ name = \"%s\", options = {\n%s },\nstart = {\n%s }, steps = {" % (
        name, ", ".join("%s = %s" % (k, lua(v)) for k, v in options.items()),
        ",\n".join(map(numbers, params))))
    for p in params:
        p.requires_grad_()
    optimizer = getattr(torch.optim, name)(params, **options)
    for step in range(1, 7):
        params[0].grad = torch.randn(5)
        params[1].grad = None if step in skip else torch.randn(19)
        optimizer.step()
        grads = ",\n".join("false" if p.grad is None else numbers(p.grad) for p in params)
        print("{ grads = { %s },\nafter = {\n%s } }," % (
            grads, ",\n".join(map(numbers, params))))
        if step == 3:
            optimizer.param_groups[0]["lr"] /= 2
    print("}, state = {")
    for p in params:
        state = sorted(optimizer.state[p].items())
        print("{ %s }," % ",\n".join(
            "%s = %s" % (k, numbers(v) if v.dim() else "%g" % v.item()) for k, v in state))
    print("} },")
print("}")
