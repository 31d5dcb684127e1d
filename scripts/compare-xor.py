"""The exclusive-or network's 60,000 steps in NumPy and in deltarule, alternating; run by scripts/compare.

The NumPy side is the algorithm as an introduction would write it, on one thread. Both sides' errors are checked before
any time is reported.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import re
import statistics
import subprocess
import sys
import time

import numpy as np

STEPS = 60_000
LAST_ERROR = 0.0035101225678617


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_steps():
    """Trains, and gives the seconds and the mean absolute error before step 50,000."""
    x = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=float)
    y = np.array([[0], [1], [1], [0]], dtype=float)
    random = np.random.RandomState(1)
    first = 2 * random.random_sample((3, 4)) - 1
    second = 2 * random.random_sample((4, 1)) - 1
    error = None
    begun = time.perf_counter()
    for step in range(STEPS):
        hidden = sigmoid(x @ first)
        output = sigmoid(hidden @ second)
        missing = y - output
        if step == 50_000:
            error = np.abs(missing).mean()
        delta = missing * output * (1 - output)
        below = delta @ second.T * hidden * (1 - hidden)
        second += hidden.T @ delta
        first += x.T @ below
    return time.perf_counter() - begun, error


def deltarule_steps(program):
    """The same by the example program, which checks its own errors and times its own steps."""
    text = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    error = float(re.search(r"^ *50000 +(\S+)", text, re.M)[1])
    return float(re.search(r"steps in ([0-9.]+) ms", text)[1]) / 1e3, error


def main():
    program, rounds = sys.argv[1], int(sys.argv[2])
    times = {"numpy": [], "deltarule": []}
    for _ in range(rounds):
        for name, run in (("numpy", numpy_steps), ("deltarule", lambda: deltarule_steps(program))):
            seconds, error = run()
            assert abs(error / LAST_ERROR - 1) < 1e-12, (name, error)
            times[name].append(seconds)
    ratios = [n / d for n, d in zip(times["numpy"], times["deltarule"])]
    print(f"numpy {np.__version__}, {rounds} rounds, medians of {STEPS} steps:")
    for name, seconds in times.items():
        print(f"  {name:10} {statistics.median(seconds) * 1e3:8.1f} ms {statistics.median(seconds) / STEPS * 1e9:8.0f} ns a step")
    print(f"  ratio      {statistics.median(ratios):8.1f} (from {min(ratios):.1f} to {max(ratios):.1f})")


main()
