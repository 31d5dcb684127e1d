#!/usr/bin/env python3
"""Makes tests/golden/losses.json: values and gradients of every loss, from definitions in 800 digits.

    pip install mpmath numpy scipy scikit-learn torch    (the file at hand: mpmath 1.4.1, SciPy 1.17.1, scikit-learn 1.9.1, PyTorch 2.15.0)
    scripts/golden-losses.py           writes the file
    scripts/golden-losses.py --check   compares it with what is computed now; exits 1 if they differ

Values are the papers' formulas in mpmath; gradients are mpmath's numerical derivatives of those values, so that no gradient's formula is
trusted. Where PyTorch, scikit-learn or SciPy have the loss, theirs must agree, or nothing is written.
"""

import json
import math
import sys
from pathlib import Path

import mpmath as mp
import numpy as np
import scipy.special
import sklearn.metrics
import torch
import torch.nn.functional as F
from sklearn._loss.loss import HalfPoissonLoss

# Values at logits of 700 have exponentials of 304 digits and of as many behind the point: differences keep the rest.
mp.mp.dps = 800
FILE = Path(__file__).resolve().parent.parent / "tests" / "golden" / "losses.json"
# Another library's float64 against 800 digits: some hundred roundings, where it does not cancel.
AGREE = 1e-13

# All numbers are dyadic: they are the same in every precision.
TINY, SMALL = 2.0**-30, 2.0**-13
ERRORS = [TINY, SMALL, 0.25, 0.984375, 1.015625, 2.5, 50.0, 700.0]
LOGITS = [TINY, 0.25, 1.5, 5.0, 17.0, 50.0, 700.0]


def both(numbers):
    return [sign * x for x in numbers for sign in (1.0, -1.0)]


# ------------------------------------------------------------------------------------------------ definitions


def softplus(z):
    return mp.log1p(mp.exp(z))


def sigmoid(z):
    return 1 / (1 + mp.exp(-z))


def softmax(o):
    exps = [mp.exp(x) for x in o]
    total = mp.fsum(exps)
    return [e / total for e in exps]


def each(one):
    return lambda o, t: mp.fsum(one(a, b) for a, b in zip(o, t))


def squared(o, t):
    return (o - t) ** 2 / 2


def huber(delta):
    return lambda o, t: (o - t) ** 2 / 2 if abs(o - t) <= delta else delta * (abs(o - t) - mp.mpf(delta) / 2)


def pinball(q):
    return lambda o, t: mp.mpf(q) * (t - o) if t >= o else (1 - mp.mpf(q)) * (o - t)


def log_cosh(o, t):
    return mp.log(mp.cosh(o - t))


def poisson(o, t):
    return mp.exp(o) - t * o


def logistic(o, t):
    return t * softplus(-o) + (1 - t) * softplus(o)


def focal(gamma):
    # Lin et al. 2017, equation 4; of a target between 0 and 1 a mixture.
    yes = lambda o: (1 - sigmoid(o)) ** gamma * softplus(-o)
    return lambda o, t: t * yes(o) + (1 - t) * yes(-o)


def hinge(o, t):
    return max(mp.mpf(0), 1 - (2 * t - 1) * o)


def squared_hinge(o, t):
    return hinge(o, t) ** 2


def cross_entropy(o, t):
    return mp.fsum(-b * mp.log(p) for b, p in zip(t, softmax(o)) if b != 0)


def softmax_focal(gamma):
    return lambda o, t: mp.fsum(-b * (1 - p) ** gamma * mp.log(p) for b, p in zip(t, softmax(o)) if b != 0)


# ---------------------------------------------------------------------------------------------- other libraries


def by_torch(loss):
    def run(o, t):
        o = torch.tensor(o, dtype=torch.float64, requires_grad=True)
        value = loss(o, torch.tensor(t, dtype=torch.float64))
        value.backward()
        return value.item(), o.grad.tolist()

    return run


def by_sklearn_poisson(o, t):
    o, t = np.array(o), np.array(t)
    loss = HalfPoissonLoss()
    # What the class leaves out is what depends on the target alone: the metric has it.
    if np.abs(o).max() < 100:
        deviance = sklearn.metrics.mean_poisson_deviance(t, np.exp(o))
        constant = np.mean(scipy.special.xlogy(t, t) - t)
        whole = 2 * (np.mean(loss.loss(t, o)) + constant)
        assert abs(deviance - whole) <= 1e-9 * max(1.0, abs(loss.loss(t, o)).max()), (o, t, deviance, whole)
    return loss.loss(t, o).sum(), loss.gradient(t, o).tolist()


def by_sklearn_pinball(q):
    return lambda o, t: (len(o) * sklearn.metrics.mean_pinball_loss(t, o, alpha=q), None)


def by_sklearn_hinge(o, t):
    # It wants both classes: a row of each that costs nothing.
    return (len(o) + 2) * sklearn.metrics.hinge_loss(t + [0.0, 1.0], o + [-2.0, 2.0]), None


def by_scipy_log_cosh(o, t):
    e = np.array(o) - np.array(t)
    # logaddexp cancels near 0: there it says nothing.
    return (None if np.abs(e).max() < 0.2 else (np.logaddexp(e, -e) - np.log(2)).sum()), np.tanh(e).tolist()


# ------------------------------------------------------------------------------------------------------- cases


def cases():
    errors = [([e + t], [t]) for e in both(ERRORS) for t in (0.0, 1.5)] + [([0.25, -3.0, 2.5], [1.0, -0.5, 2.0])]
    logits = [([o], [t]) for o in both(LOGITS) for t in (0.0, 1.0, 0.25)] + [([0.25, -3.0, 5.0], [1.0, 0.0, 0.0])]
    labels = [(o, t) for o, t in logits if set(t) <= {0.0, 1.0}]
    counts = [([o], [t]) for o in both(LOGITS) for t in (0.0, 1.0, 2.5, 40.0)] + [([0.25, -3.0, 3.5], [1.0, 0.0, 33.0])]
    rows = [[0.0, 0.0, 0.0], [3.0, 1.0, -2.0, 0.5], [50.0, -50.0, 1.0], [700.0, -700.0, 0.0], [17.0, 0.25, 0.25]]
    one_hot = [(o, [float(j == c) for j in range(len(o))]) for o in rows for c in range(len(o))]
    smooth = [(o, [0.875 * y + 0.125 / len(o) for y in t]) for o, t in one_hot if len(o) == 4]
    mixed = one_hot + smooth + [([3.0, 1.0, -2.0, 0.5], [0.5, 0.25, 0.25, 0.0])]

    sum_of = lambda f, **options: by_torch(lambda o, t: f(o, t, reduction="sum", **options))
    yield "squared_error", each(squared), errors, by_torch(lambda o, t: F.mse_loss(o, t, reduction="sum") / 2)
    yield "absolute_error", each(lambda o, t: abs(o - t)), errors, sum_of(F.l1_loss)
    for delta in (1.0, 0.5):
        yield f"huber={delta:g}", each(huber(delta)), errors, sum_of(F.huber_loss, delta=delta)
    for q in (0.5, 0.875, 0.1):
        yield f"quantile={q}", each(pinball(q)), errors, by_sklearn_pinball(q)
    yield "log_cosh", each(log_cosh), errors, by_scipy_log_cosh
    yield "poisson", each(poisson), counts, by_sklearn_poisson
    yield "poisson", each(poisson), counts, sum_of(F.poisson_nll_loss, log_input=True, full=False)
    yield "logistic_cross_entropy", each(logistic), logits, sum_of(F.binary_cross_entropy_with_logits)
    for gamma in (0.0, 0.5, 1.0, 2.0, 3.5):
        # As torchvision's sigmoid_focal_loss with alpha = -1, of labels.
        def torchvision(o, t, gamma=gamma):
            p = torch.sigmoid(o)
            ce = F.binary_cross_entropy_with_logits(o, t, reduction="none")
            return (ce * (1 - (p * t + (1 - p) * (1 - t))) ** gamma).sum()

        yield f"focal={gamma:g}", each(focal(gamma)), logits, lambda o, t, f=torchvision: (
            by_torch(f)(o, t) if set(t) <= {0.0, 1.0} and max(map(abs, o)) < 2 else (None, None)
        )
        yield f"softmax_focal={gamma:g}", softmax_focal(gamma), mixed, lambda o, t: (None, None)
    yield "hinge", each(hinge), labels, by_sklearn_hinge
    yield "squared_hinge", each(squared_hinge), labels, lambda o, t: (None, None)
    yield "softmax_cross_entropy", cross_entropy, mixed, sum_of(F.cross_entropy)

    # Smoothing itself: PyTorch's, from hard labels.
    for o, t in smooth:
        c = int(np.argmax(t))
        found = F.cross_entropy(torch.tensor([o], dtype=torch.float64), torch.tensor([c]), label_smoothing=0.125).item()
        assert abs(found - float(cross_entropy([mp.mpf(x) for x in o], [mp.mpf(x) for x in t]))) < AGREE, (o, t)


def gradient(loss, o, t):
    """By differences; the step's error is far below a double's."""
    def moved(j, by):
        return loss([x + (by if i == j else 0) for i, x in enumerate(o)], t)

    step = mp.mpf(2) ** -90
    return [(moved(j, step) - moved(j, -step)) / (2 * step) for j in range(len(o))]


def near(found, exact, scale):
    return abs(found - exact) <= AGREE * max(abs(exact), scale)


def made():
    out, agreed, seen = [], 0, set()
    for name, loss, rows, other in cases():
        for o, t in rows:
            exact_o, exact_t = [mp.mpf(x) for x in o], [mp.mpf(x) for x in t]
            value = float(loss(exact_o, exact_t))
            slopes = [float(d) for d in gradient(loss, exact_o, exact_t)]
            theirs, their_slopes = other(o, t)
            # They subtract numbers of the size of logits, errors and counts.
            scale = 1.0 + max(abs(x) for x in o + t)
            if theirs is not None and math.isfinite(theirs):
                assert near(theirs, value, scale), (name, o, t, theirs, value)
                agreed += 1
            for a, b in zip(their_slopes or [], slopes):
                assert not math.isfinite(a) or near(a, b, scale), (name, o, t, their_slopes, slopes)
            if (name, tuple(o), tuple(t)) not in seen:
                seen.add((name, tuple(o), tuple(t)))
                out.append({"loss": name, "output": o, "target": t, "value": value, "gradient": slopes})
    print(f"{len(out)} rows, {agreed} values agreed on by another library")
    return "[\n" + ",\n".join(json.dumps(case) for case in out) + "\n]\n"


def main():
    text = made()
    if "--check" in sys.argv:
        if FILE.read_text() != text:
            sys.exit(f"{FILE} is not what is computed now")
    else:
        FILE.write_text(text)


if __name__ == "__main__":
    main()
