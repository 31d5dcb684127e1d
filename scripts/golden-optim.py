#!/usr/bin/env python3
"""Golden numbers for tests/optim.rs, tests/optim_methods.rs and tests/rprop.rs: none of this project's code is used.

    python3 -m venv target/golden-venv && target/golden-venv/bin/pip install numpy scipy scikit-learn torch
    target/golden-venv/bin/python scripts/golden-optim.py

Writes tests/golden/optim.json, where every method walks in float64 on a convex function of eight parameters while the rate
rises and falls: PyTorch's optimisers, and formulas of the papers for what PyTorch lacks (Lion, iRPROP+) or does otherwise (a velocity
that gathers steps).

Prints the constants that tests/optim.rs holds. First-order methods walk on Rosenbrock's function in two dimensions from
(-1.2, 1) at rate 1e-3, in float64, by the formulas of the papers; scikit-learn's own classes walk beside them and must
agree. L-BFGS: the minima that SciPy finds, and the evaluations it needs.
"""

import json
from pathlib import Path

import numpy as np
import scipy
import scipy.optimize
import sklearn
import torch
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

# Every method on one convex function: sum of curvature/2 (p - centre)^2 + p^4/20, and p_i p_(i+1)/20, over seven parameters (vectors
# have a remainder); nothing pulls at the eighth, so that its gradient is 0 and only weight decay moves it.
CURVATURE = [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0]
CENTRE = [1.0, -2.0, 0.5, 3.0, -1.0, 0.25, -0.75]
BEGIN = [-1.5, 1.25, 2.0, -0.5, 0.75, -2.5, 1.0, 3.0]
WALKED = [1, 2, 5, 20, 60, 200]


def convex(p):
    curvature, centre, q = np.array(CURVATURE), np.array(CENTRE), p[:7]
    off = q - centre
    value = np.sum(0.5 * curvature * off**2 + 0.05 * q**4) + 0.05 * np.sum(q[:-1] * q[1:])
    grad = curvature * off + 0.2 * q**3
    grad[:-1] += 0.05 * q[1:]
    grad[1:] += 0.05 * q[:-1]
    return value, np.append(grad, 0.0)


def scheduled(rate, t):
    """Up in five steps, then down."""
    return rate * min(t, 5) / 5 / (1 + t / 20)


def torch_walk(make, rate):
    p = torch.tensor(BEGIN, dtype=torch.float64)
    optimizer, points = make([p]), {}
    for t in range(1, WALKED[-1] + 1):
        if rate is not None:
            optimizer.param_groups[0]["lr"] = scheduled(rate, t)
        p.grad = torch.from_numpy(convex(p.numpy())[1])
        optimizer.step()
        if t in WALKED:
            points[t] = p.tolist()
    return points


def numpy_walk(step, rate):
    p, state, points = np.array(BEGIN), {}, {}
    for t in range(1, WALKED[-1] + 1):
        p = step(p, convex(p)[1], scheduled(rate, t), state)
        if t in WALKED:
            points[t] = p.tolist()
    return points


def lion(b1, b2, decay):
    """Chen et al. 2023, Algorithm 2: the update first, then the mean."""

    def step(p, g, rate, state):
        m = state.get("m", 0.0)
        c = b1 * m + (1 - b1) * g
        p = p - rate * (np.sign(c) + decay * p)
        state["m"] = b2 * m + (1 - b2) * g
        return p

    return step


def velocity(beta, nesterov):
    """Sutskever et al. 2013, as scikit-learn has it: what is gathered are steps."""

    def step(p, g, rate, state):
        v = state["v"] = beta * state.get("v", 0.0) - rate * g
        return p + (beta * v - rate * g if nesterov else v)

    return step


def irprop_plus(options):
    """Igel and Huesken 2003, Algorithm 4 (iRPROP+), a parameter at a time as printed."""
    p = np.array(BEGIN)
    n = len(p)
    delta, before, last, error, points = [options["initial_step"]] * n, [0.0] * n, [0.0] * n, np.inf, {}
    for t in range(1, WALKED[-1] + 1):
        value, grad = convex(p)
        for i in range(n):
            if before[i] * grad[i] > 0:
                delta[i] = min(delta[i] * options["eta_plus"], options["max_step"])
                last[i] = -np.sign(grad[i]) * delta[i]
                p[i] += last[i]
                before[i] = grad[i]
            elif before[i] * grad[i] < 0:
                delta[i] = max(delta[i] * options["eta_minus"], options["min_step"])
                if value > error:
                    p[i] -= last[i]
                before[i] = 0.0
            else:
                last[i] = -np.sign(grad[i]) * delta[i]
                p[i] += last[i]
                before[i] = grad[i]
        error = value
        if t in WALKED:
            points[t] = p.tolist()
    return points


torch.set_default_dtype(torch.float64)
optim = torch.optim


def adam_like(name, make, rate, b1=0.9, b2=0.999, epsilon=1e-8, more={}, **theirs):
    method = {name: dict(beta1=b1, beta2=b2, epsilon=epsilon, **more)}
    return method, rate, torch_walk(lambda p: make(p, betas=(b1, b2), eps=epsilon, foreach=False, **theirs), rate)


def rmsprop(rate, rho=0.99, epsilon=1e-8, momentum=0.0, centered=False):
    method = {"rmsprop": dict(rho=rho, epsilon=epsilon, momentum=momentum, centered=centered)}
    theirs = dict(alpha=rho, eps=epsilon, momentum=momentum, centered=centered, foreach=False)
    return method, rate, torch_walk(lambda p: optim.RMSprop(p, **theirs), rate)


def adadelta(rate, rho=0.9, epsilon=1e-6):
    theirs = dict(rho=rho, eps=epsilon, foreach=False)
    return {"adadelta": dict(rho=rho, epsilon=epsilon)}, rate, torch_walk(lambda p: optim.Adadelta(p, **theirs), rate)


def adagrad(rate, epsilon=1e-10):
    return {"adagrad": dict(epsilon=epsilon)}, rate, torch_walk(lambda p: optim.Adagrad(p, eps=epsilon, foreach=False), rate)


def lions(rate, b1, b2, decay):
    return {"lion": dict(beta1=b1, beta2=b2, weight_decay=decay)}, rate, numpy_walk(lion(b1, b2, decay), rate)


def sgd(rate, momentum, nesterov):
    return {"sgd": dict(momentum=momentum, nesterov=nesterov)}, rate, numpy_walk(velocity(momentum, nesterov), rate)


steps = [
    sgd(0.05, 0.0, False),
    sgd(0.05, 0.9, False),
    sgd(0.05, 0.9, True),
    adam_like("adam", optim.Adam, 0.1),
    adam_like("adam", optim.Adam, 0.1, 0.7, 0.9, 0.01),
    adam_like("adamw", optim.AdamW, 0.1, more=dict(weight_decay=0.01), weight_decay=0.01),
    adam_like("adamw", optim.AdamW, 0.1, 0.7, 0.9, 0.01, more=dict(weight_decay=0.5), weight_decay=0.5),
    adam_like("amsgrad", optim.Adam, 0.1, amsgrad=True),
    adam_like("amsgrad", optim.Adam, 0.1, 0.7, 0.9, 0.01, amsgrad=True),
    adam_like("nadam", optim.NAdam, 0.1, more=dict(momentum_decay=0.004), momentum_decay=0.004),
    adam_like("nadam", optim.NAdam, 0.3, 0.7, 0.9, 1.0, more=dict(momentum_decay=0.5), momentum_decay=0.5),
    rmsprop(0.02),
    rmsprop(0.02, 0.9, 0.01, 0.8),
    rmsprop(0.02, 0.95, centered=True),
    rmsprop(0.02, 0.9, 0.01, 0.8, True),
    adagrad(0.5),
    adagrad(0.5, 0.1),
    adadelta(1.0),
    adadelta(5.0, 0.95, 1e-3),
    lions(0.2, 0.9, 0.99, 0.0),
    lions(0.2, 0.8, 0.95, 0.5),
]

minus = dict(variant="minus", eta_minus=0.5, eta_plus=1.2, initial_step=0.0125, min_step=1e-6, max_step=50.0)
plus = dict(minus, variant="plus", min_step=0.0)
wide = dict(eta_minus=0.4, eta_plus=1.5, initial_step=0.5, min_step=0.001, max_step=1.0)


def theirs(o):
    etas, sizes = (o["eta_minus"], o["eta_plus"]), (o["min_step"], o["max_step"])
    return torch_walk(lambda p: optim.Rprop(p, o["initial_step"], etas, sizes, foreach=False), None)


batches = [(minus, theirs(minus)), (dict(minus, **wide), theirs(dict(minus, **wide)))]
batches += [(o, irprop_plus(o)) for o in (plus, dict(plus, **wide))]

golden = {
    "made_with": f"NumPy {np.__version__}, PyTorch {torch.__version__.split('+')[0]}",
    "curvature": CURVATURE,
    "centre": CENTRE,
    "start": BEGIN,
    "walks": [{"method": m, "rate": rate, "points": list(points.items())} for m, rate, points in steps],
    "rprop": [{"options": o, "points": list(points.items())} for o, points in batches],
}
file = Path(__file__).resolve().parent.parent / "tests" / "golden" / "optim.json"
file.write_text(json.dumps(golden, indent=1) + "\n")
for m, _, points in steps:
    print("//", m, np.max(np.abs(convex(np.array(points[200]))[1])))
for o, points in batches:
    print("//", o, [round(convex(np.array(q))[0], 6) for q in points.values()])
