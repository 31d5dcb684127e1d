#!/usr/bin/env python3
"""Golden numbers for tests/second_order.rs, from NumPy and SciPy: none of this project's code is used.

    python3 -m venv target/golden-venv && target/golden-venv/bin/pip install numpy scipy
    target/golden-venv/bin/python scripts/golden-second-order.py

Prints the constants that tests/second_order.rs holds: where the scaled conjugate gradients of Moller 1993 are after so many
accepted steps, step by step as the paper prints them (restarting after as many accepted steps as there are parameters), on
Rosenbrock's function and on a quadratic; the minima that SciPy's least squares finds of a small network, with MINPACK's
Levenberg-Marquardt; and Bayesian regularisation of a line through points, whose fixed point is found by eigenvalues.
"""

import numpy as np
import scipy
import scipy.optimize


def moller(value, gradient, w, marks, sigma=5e-5, lam=5e-7):
    """Steps 1 to 9 of the paper; the length in step 8 is that of the direction that was tried, not of the next."""
    n, bar, success, accepted, points = len(w), 0.0, True, 0, []
    r = -gradient(w)
    p = r.copy()
    while accepted < marks[-1]:
        length = p @ p
        if success:
            s_k = sigma / np.sqrt(length)
            delta = p @ ((gradient(w + s_k * p) - gradient(w)) / s_k)
        delta += (lam - bar) * length
        if delta <= 0:
            bar = 2 * (lam - delta / length)
            delta = -delta + lam * length
            lam = bar
        mu = p @ r
        alpha = mu / delta
        comparison = 2 * delta * (value(w) - value(w + alpha * p)) / mu**2
        if comparison >= 0:
            w = w + alpha * p
            new = -gradient(w)
            bar, success, accepted = 0.0, True, accepted + 1
            p = new.copy() if accepted % n == 0 else new + (new @ new - new @ r) / mu * p
            r = new
            if accepted in marks:
                points.append(w)
            if comparison >= 0.75:
                lam *= 0.25
        else:
            bar, success = lam, False
        if comparison < 0.25:
            lam += delta * (1 - comparison) / length
    return points


def show(name, rows):
    print(f"const {name}: [[f64; {len(rows[0])}]; {len(rows)}] = [")
    for row in rows:
        print(f"    {[float(v) for v in row]!r},")
    print("];")


print(f"// NumPy {np.__version__}, SciPy {scipy.__version__}")
rosen, slope = scipy.optimize.rosen, scipy.optimize.rosen_der
show("SCG_ROSENBROCK", moller(rosen, slope, np.array([-1.2, 1.0]), [1, 2, 5, 20]))
curvature = np.array([1.0, 4.0, 25.0, 100.0])
quadratic = (lambda x: 0.5 * np.sum(curvature * (x - 1) ** 2), lambda x: curvature * (x - 1))
show("SCG_QUADRATIC", moller(*quadratic, np.zeros(4), [1, 2, 3, 4]))

# A network of 2 inputs, 3 tanh units and 1 output on 40 rows, weighted, with a penalty on weights: the least minimum from starts about
# a fixed one, for there are two near by.
# Parameters lie as this project has them: weights inputs x outputs, biases, layer after layer.
rows = np.arange(40)
x = np.stack([np.sin(1.0 + rows), np.cos(2.0 * rows)], axis=1)
y = np.sin(2 * x[:, 0]) + x[:, 1] ** 2
weight = 1.0 + rows % 3
l2 = 1e-3
start = 0.9 * np.sin(1.0 + np.arange(13))


def residuals(p):
    hidden = np.tanh(x @ p[:6].reshape(2, 3) + p[6:9])
    error = hidden @ p[9:12] + p[12] - y
    penalised = np.concatenate([p[:6], p[9:12]])
    return np.concatenate([np.sqrt(weight / weight.sum()) * error, np.sqrt(l2) * penalised])


ends = []
for seed in range(6):
    near = start + 0.01 * np.random.default_rng(seed).normal(size=13)
    ends.append(scipy.optimize.least_squares(residuals, near, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=100000))
best = min(ends, key=lambda end: end.cost)
print(f"const MINPACK: f64 = {float(best.cost)!r};")
print(f"// the least of {[float(end.cost) for end in ends]}; {best.nfev} evaluations, largest gradient {np.abs(best.grad).max():.1e}")

# Bayesian regularisation of a line: the fixed point of MacKay's formulas, iterated to the last bit.
t = 2.0 * x[:, 0] - 0.5 + 0.3 * np.sin(5.0 * rows)
design = np.column_stack([x, np.ones(40)])
alpha, beta, gram = 1.0, 1.0, design.T @ design
for _ in range(1000):
    w = np.linalg.solve(gram + alpha / beta * np.eye(3), design.T @ t)
    values = np.linalg.eigvalsh(gram)
    gamma = np.sum(beta * values / (beta * values + alpha))
    alpha, beta = gamma / (2 * w @ w), (40 - gamma) / (2 * np.sum((design @ w - t) ** 2))
print(f"const EVIDENCE: ([f64; 3], [f64; 3]) = ({[float(v) for v in w]!r}, {[float(alpha), float(beta), float(gamma)]!r});")
