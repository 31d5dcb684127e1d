#!/usr/bin/env python3
"""Golden numbers for tests/optim.rs, from NumPy, SciPy and scikit-learn: none of this project's code is used.

    python3 -m venv target/golden-venv && target/golden-venv/bin/pip install numpy scipy scikit-learn
    target/golden-venv/bin/python scripts/golden-optim.py

Prints the constants that tests/optim.rs holds. First-order methods walk on Rosenbrock's function in two dimensions from
(-1.2, 1) at rate 1e-3, in float64, by the formulas of the papers; scikit-learn's own classes walk beside them and must
agree. L-BFGS: the minima that SciPy finds, and the evaluations it needs.
"""

import numpy as np
import scipy
import scipy.optimize
import sklearn
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

RATE = 1e-3
STEPS = [1, 2, 10, 500]
START = np.array([-1.2, 1.0])


def gradient(p):
    a, b = 1.0 - p[0], p[1] - p[0] ** 2
    return np.array([-2.0 * a - 400.0 * p[0] * b, 200.0 * b])


def walk(step):
    p, state, points = START.copy(), {}, []
    for t in range(1, STEPS[-1] + 1):
        p = p + step(gradient(p), t, state)
        if t in STEPS:
            points.append(p)
    return points


def plain(g, t, state):
    return -RATE * g


def momentum(nesterov, beta=0.9, rate=RATE):
    def step(g, t, state):
        v = state["v"] = beta * state.get("v", 0.0) - rate * g
        return beta * v - rate * g if nesterov else v

    return step


def adam(g, t, state, b1=0.9, b2=0.999, epsilon=1e-8):
    """Kingma and Ba 2015, Algorithm 1, as printed."""
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g * g
    return -RATE * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + epsilon)


def sklearn_walk(make):
    p = START.copy()
    optimizer, points = make([p]), []
    for t in range(1, STEPS[-1] + 1):
        optimizer.update_params([p], [gradient(p)])
        if t in STEPS:
            points.append(p.copy())
    return points


def show(name, points):
    print(f"const {name}: [[f64; 2]; {len(points)}] = [")
    for p in points:
        print(f"    [{float(p[0])!r}, {float(p[1])!r}],")
    print("];")


print(f"// NumPy {np.__version__}, SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}")
# 1e-3 with momentum runs away from (-1.2, 1), where the curvature is 1,300; a tenth of the rate does not.
slow = RATE / 10
rivals = {
    "PLAIN": (plain, lambda p: SGDOptimizer(p, RATE, momentum=0.0, nesterov=False), 1e-12),
    "MOMENTUM": (momentum(False, rate=slow), lambda p: SGDOptimizer(p, slow, momentum=0.9, nesterov=False), 1e-12),
    "NESTEROV": (momentum(True, rate=slow), lambda p: SGDOptimizer(p, slow, momentum=0.9, nesterov=True), 1e-12),
    # scikit-learn adds epsilon to the uncorrected root.
    "ADAM": (adam, lambda p: AdamOptimizer(p, RATE), 1e-7),
}
for name, (step, make, tolerance) in rivals.items():
    points, theirs = walk(step), sklearn_walk(make)
    gap = max(np.max(np.abs(a - b)) for a, b in zip(points, theirs))
    assert gap <= tolerance, (name, gap)
    show(name, points)

for n in (2, 10):
    x0 = np.array([-1.2, 1.0] * (n // 2))
    r = scipy.optimize.minimize(scipy.optimize.rosen, x0, jac=scipy.optimize.rosen_der, method="L-BFGS-B",
                                options=dict(gtol=1e-8, ftol=0.0))
    print(f"// rosen {n}: f {float(r.fun)!r}, x[0] {float(r.x[0])!r}, {r.nit} iterations, {r.nfev} evaluations, {r.message}")

curvature = np.logspace(0, 6, 50)
r = scipy.optimize.minimize(lambda x: (0.5 * np.sum(curvature * (x - 1) ** 2), curvature * (x - 1)), np.zeros(50),
                            jac=True, method="L-BFGS-B", options=dict(gtol=1e-5, ftol=0.0, maxiter=10000))
print(f"// quadratic: f {float(r.fun)!r}, worst {float(np.max(np.abs(r.x - 1)))!r}, {r.nit} iterations, {r.nfev} evaluations, {r.message}")

# A logistic regression on fixed data: a minimum that no formula gives.
rows = np.arange(60)
x = np.stack([np.sin(1.0 + rows), np.cos(2.0 * rows), np.sin(0.5 * rows) ** 2], axis=1)
y = (np.sin(3.0 * rows) + x[:, 0] > 0).astype(float)


def logistic(w):
    z = x @ w[:3] + w[3]
    value = np.mean(np.logaddexp(0.0, z) - y * z) + 0.005 * np.dot(w[:3], w[:3])
    delta = (1.0 / (1.0 + np.exp(-z)) - y) / len(y)
    return value, np.append(x.T @ delta + 0.01 * w[:3], delta.sum())


r = scipy.optimize.minimize(logistic, np.zeros(4), jac=True, method="BFGS", options=dict(gtol=1e-10))
w = r.x
for _ in range(3):  # Newton's method, to the last bits
    p = 1.0 / (1.0 + np.exp(-(x @ w[:3] + w[3])))
    z = np.column_stack([x, np.ones(len(y))])
    hessian = (z * (p * (1 - p) / len(y))[:, None]).T @ z + np.diag([0.01, 0.01, 0.01, 0.0])
    w = w - np.linalg.solve(hessian, logistic(w)[1])
value, grad = logistic(w)
print(f"const LOGISTIC: ([f64; 4], f64) = ({[float(v) for v in w]!r}, {float(value)!r});")
print(f"// largest gradient there: {float(np.max(np.abs(grad)))!r}")
