#!/usr/bin/env python3
"""Golden numbers for tests/schedule.rs, from PyTorch and scikit-learn: none of this project's code is used.

    python3 -m venv target/golden-venv && target/golden-venv/bin/pip install numpy scikit-learn torch
    target/golden-venv/bin/python scripts/golden-schedules.py

Prints the learning rate (the base rate is 1) before some steps of a training of 12 epochs of 5 steps.
"""

import numpy as np
import sklearn
import torch
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

EPOCHS, PER_EPOCH, ROWS = 12, 5, 37
STEPS = [0, 1, 4, 5, 17, 18, 30, 44, 59]


def rates(make, each_step):
    """The rate before each step, of a PyTorch schedule that is told of each step or of each epoch."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule, seen = make(optimizer), []
    for step in range(EPOCHS * PER_EPOCH):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if each_step == "part":
            if step + 1 < EPOCHS * PER_EPOCH:
                schedule.step((step + 1) / PER_EPOCH)
        elif each_step or (step + 1) % PER_EPOCH == 0:
            if step + 1 < EPOCHS * PER_EPOCH:
                schedule.step()
    return seen


def show(name, values):
    print(f'        ("{name}", [{", ".join(repr(float(values[s])) for s in STEPS)}]),')


lr = torch.optim.lr_scheduler
print(f"// PyTorch {torch.__version__}, scikit-learn {sklearn.__version__}: scripts/golden-schedules.py")
show("step=3,0.5", rates(lambda o: lr.StepLR(o, 3, 0.5), False))
show("exponential=0.9", rates(lambda o: lr.ExponentialLR(o, 0.9), False))
show("cosine", rates(lambda o: lr.CosineAnnealingLR(o, EPOCHS * PER_EPOCH), True))
show("cosine=3,1", rates(lambda o: lr.CosineAnnealingWarmRestarts(o, 3, 1), "part"))
show("cosine=2,2", rates(lambda o: lr.CosineAnnealingWarmRestarts(o, 2, 2), "part"))
show("one_cycle=0.3", rates(lambda o: lr.OneCycleLR(o, 1.0, total_steps=EPOCHS * PER_EPOCH, cycle_momentum=False), True))

inverse = SGDOptimizer([np.zeros(1)], learning_rate_init=1.0, lr_schedule="invscaling", power_t=0.5)
seen = []
for step in range(EPOCHS * PER_EPOCH):
    seen.append(inverse.learning_rate)
    if (step + 1) % PER_EPOCH == 0:
        inverse.iteration_ends((step + 1) // PER_EPOCH * ROWS)
show("inverse_scaling=0.5", seen)

# Each epoch's loss, and the rate in the epoch after it.
losses = [1.0, 0.9, 0.95, 0.92, 0.91, 0.91, 0.91, 0.5, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6]
optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
plateau, seen = lr.ReduceLROnPlateau(optimizer, factor=0.5, patience=2), []
for loss in losses:
    plateau.step(loss)
    seen.append(optimizer.param_groups[0]["lr"])
print(f"plateau=2,0.5 after {losses}: {seen}")
