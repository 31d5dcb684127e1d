#!/usr/bin/env python3
"""Golden numbers for tests/norms.rs and tests/batch_norm.rs, from PyTorch: none of this project's code is used.

    python3 -m venv target/golden-venv && target/golden-venv/bin/pip install torch
    target/golden-venv/bin/python scripts/golden-norms.py

Prints the loss and the gradient that tests/norms.rs holds, in float64: 3 inputs, 4 tanh units after layer normalisation, 3 linear
outputs after another, half the squared error summed over outputs and averaged over rows. Parameters and rows follow a formula that
both sides know; the gradient is in the order of Spec::blocks (weights inputs x outputs, biases, scales, shifts).

With `batch` as its argument it prints what tests/batch_norm.rs holds: the same network with BatchNorm1d on 7 rows, its loss and gradient
in training mode, and the state (parameters, then running means and variances, layer after layer) and the outputs in evaluation mode after
four steps of plain gradient descent at a rate of 0.1, each on seven other rows.
"""

import sys

import torch

torch.set_default_dtype(torch.float64)


def number(i):
    return ((i * 37) % 101) / 50.5 - 1.0


is_batch = sys.argv[1:] == ["batch"]
norm_of = torch.nn.BatchNorm1d if is_batch else torch.nn.LayerNorm
rows = 7 if is_batch else 5
widths = [3, 4, 3]
modules, groups, at = [], [], 0
for l in range(2):
    linear, norm = torch.nn.Linear(widths[l], widths[l + 1]), norm_of(widths[l + 1])
    with torch.no_grad():
        for tensor, transposed in [(linear.weight, True), (linear.bias, False), (norm.weight, False), (norm.bias, False)]:
            values = torch.tensor([number(at + i) for i in range(tensor.numel())])
            at += tensor.numel()
            tensor.copy_(values.reshape(widths[l], widths[l + 1]).T if transposed else values)
            groups.append((tensor, transposed))
    modules += [linear, norm] + ([torch.nn.Tanh()] if l == 0 else [])
net = torch.nn.Sequential(*modules)


def matrix(start):
    return torch.tensor([number(start + i) for i in range(3 * rows)]).reshape(rows, 3)


def loss_of(step):
    return 0.5 * ((net(matrix(1000 + 21 * step)) - matrix(2000 + 21 * step)) ** 2).sum(dim=1).mean()


loss = loss_of(0)
loss.backward()
print(f"// torch {torch.__version__}")
print(f"const LOSS: f64 = {loss.item()!r};")
gradient = torch.cat([(t.grad.T if transposed else t.grad).reshape(-1) for t, transposed in groups])
print(f"const GRADIENT: [f64; {len(gradient)}] = {gradient.tolist()};")

if is_batch:
    # The first step is on the rows of the gradient above, whose pass has moved the running statistics once.
    for step in range(1, 5):
        with torch.no_grad():
            for tensor, _ in groups:
                tensor -= 0.1 * tensor.grad
        net.zero_grad()
        if step < 4:
            loss_of(step).backward()
    net.eval()
    norms = [module for module in net if isinstance(module, torch.nn.BatchNorm1d)]
    state = [(t.T if transposed else t).detach().reshape(-1) for t, transposed in groups]
    state = torch.cat(state + [t for norm in norms for t in (norm.running_mean, norm.running_var)])
    outputs = net(matrix(3000)).detach().reshape(-1)
    print(f"const STATE: [f64; {len(state)}] = {state.tolist()};")
    print(f"const OUTPUTS: [f64; {len(outputs)}] = {outputs.tolist()};")
