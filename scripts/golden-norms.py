#!/usr/bin/env python3
"""Golden numbers for tests/norms.rs, from PyTorch: none of this project's code is used.

    python3 -m venv target/golden-venv && target/golden-venv/bin/pip install torch
    target/golden-venv/bin/python scripts/golden-norms.py

Prints the loss and the gradient that tests/norms.rs holds, in float64: 3 inputs, 4 tanh units after layer normalisation, 3 linear
outputs after another, half the squared error summed over outputs and averaged over rows. Parameters and rows follow a formula that
both sides know; the gradient is in the order of Spec::blocks (weights inputs x outputs, biases, scales, shifts).
"""

import torch

torch.set_default_dtype(torch.float64)


def number(i):
    return ((i * 37) % 101) / 50.5 - 1.0


widths = [3, 4, 3]
modules, groups, at = [], [], 0
for l in range(2):
    linear, norm = torch.nn.Linear(widths[l], widths[l + 1]), torch.nn.LayerNorm(widths[l + 1])
    with torch.no_grad():
        for tensor, transposed in [(linear.weight, True), (linear.bias, False), (norm.weight, False), (norm.bias, False)]:
            values = torch.tensor([number(at + i) for i in range(tensor.numel())])
            at += tensor.numel()
            tensor.copy_(values.reshape(widths[l], widths[l + 1]).T if transposed else values)
            groups.append((tensor, transposed))
    modules += [linear, norm] + ([torch.nn.Tanh()] if l == 0 else [])
net = torch.nn.Sequential(*modules)
x = torch.tensor([number(1000 + i) for i in range(15)]).reshape(5, 3)
y = torch.tensor([number(2000 + i) for i in range(15)]).reshape(5, 3)
loss = 0.5 * ((net(x) - y) ** 2).sum(dim=1).mean()
loss.backward()
print(f"// torch {torch.__version__}")
print(f"const LOSS: f64 = {loss.item()!r};")
gradient = torch.cat([(t.grad.T if transposed else t.grad).reshape(-1) for t, transposed in groups])
print(f"const GRADIENT: [f64; {len(gradient)}] = {gradient.tolist()};")
