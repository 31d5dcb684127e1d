"""deltarule's estimators beside scikit-learn's, in one Python: fit and predict; run by scripts/compare.

    compare-sklearn.py [--rounds N] [--threads LIST] [--only fit|predict] [--cases REGEX] [--quick]

Both get the same rows, network, solver, batch, learning rate, penalty and number of passes, which all are made (tol=0,
n_iter_no_change=inf), so many that scikit-learn takes about --seconds. They alternate in one process, each round beginning with the other
one, and every time is the median. Weights are drawn by each side itself, so answers are compared as far as they can be: after a fit, the
accuracy (R2) on the rows and the loss; before predictions, those of the same network, which goes from one side to the other by
from_sklearn. L-BFGS may end before its last iteration, where no step makes the loss smaller: its times are those of one iteration.

The goals are 5 times faster below 20,000 parameters, 2.5 times below 200,000, and never slower. Prints Markdown (also in
target/compare-sklearn.md), writes every figure to target/compare-sklearn.json, and exits with 1 where a goal is not met or answers differ.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import sys
import time
import warnings

import numpy as np
import sklearn
from compare_rows import MNIST, TARGET
from compare_sides import Strangers, processor, quartiles, table
from sklearn import datasets, neural_network
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

import deltarule

ROOT = pathlib.Path(__file__).parent.parent
SEED = 20_260_201
# Parameters below which a fit is to be so many times faster.
GOALS = [(20_000, 5.0), (200_000, 2.5), (float("inf"), 1.0)]
# How far apart the accuracy or R2 of two trainings may be that began with other weights, or else their losses in parts of the larger.
ACCURACY, LOSS = 0.03, 0.2
PREDICTED = [1, 100, 10_000]

# ---------------------------------------------------------------------------------------------------------------- data


def digits():
    data = datasets.load_digits()
    return data.data / 16, data.target


def car():
    rows = [line.split(",") for line in (ROOT / "data/car.csv").read_text().split()[1:]]
    return OneHotEncoder(sparse_output=False).fit_transform([row[:-1] for row in rows]), np.array([row[-1] for row in rows])


def mnist():
    read = lambda name, skip: np.fromfile(MNIST / name, dtype=np.uint8)[skip:]  # noqa: E731
    return read("train-images-idx3-ubyte", 16).reshape(-1, 784) / 255, read("train-labels-idx1-ubyte", 8)


def synthetic(rows, columns, classes):
    """Rows whose classes (of none: whose number) a network of that many columns can learn."""
    random = np.random.default_rng([SEED, rows, columns, classes])
    x = random.normal(size=(rows, columns))
    hidden = np.tanh(x @ random.normal(size=(columns, 16)) / np.sqrt(columns))
    if not classes:
        return x, StandardScaler().fit_transform((hidden @ random.normal(size=(16, 1))))[:, 0]
    return x, (hidden @ random.normal(size=(16, classes)) + 0.1 * random.normal(size=(rows, classes))).argmax(axis=1)


class Data:
    """A data set, loaded when it is asked for, in either type."""

    loaded = {}

    def __init__(self, name, load, key=None):
        self.name, self.load, self.key = name, load, key or name

    def rows(self, dtype):
        if self.key not in Data.loaded:
            Data.loaded[self.key] = self.load()
        x, y = Data.loaded[self.key]
        return np.ascontiguousarray(x, dtype=dtype), y.astype(dtype) if y.dtype.kind == "f" else y


DIGITS, CAR, IMAGES = Data("digits", digits), Data("car", car), Data("MNIST", mnist)


def made(rows, columns, classes):
    kind = f"{classes} classes" if classes else "a number"
    return Data(f"synthetic, {columns} columns, {kind}", lambda: synthetic(rows, columns, classes), (rows, columns, classes))


# --------------------------------------------------------------------------------------------------------------- cases


class Case:
    def __init__(self, data, hidden, solver="adam", dtype="float32", batch=None, activation="relu", alpha=1e-4, rate=0.001):
        self.data, self.hidden, self.solver, self.dtype, self.batch = data, hidden, solver, dtype, batch
        self.activation, self.alpha, self.rate = activation, alpha, rate

    def title(self):
        batch = f" by {self.batch}" if self.batch and self.solver != "lbfgs" else ""
        return f"{self.data.name}; {'-'.join(map(str, self.hidden))} {self.activation}; {self.solver}{batch}; {self.dtype}"

    def settings(self, passes):
        settings = {
            "hidden_layer_sizes": self.hidden,
            "activation": self.activation,
            "solver": self.solver,
            "alpha": self.alpha,
            "learning_rate_init": self.rate,
            "max_iter": passes,
            "tol": 0.0,
            "n_iter_no_change": np.inf,
            "max_fun": 10**9,
            "random_state": 1,
        }
        return settings | ({"batch_size": self.batch} if self.batch else {})

    def makers(self):
        """Both sides' estimators: what makes one, from its settings and threads."""
        name = "MLPRegressor" if self.rows()[1].dtype.kind == "f" else "MLPClassifier"
        theirs, ours = getattr(neural_network, name), getattr(deltarule, name)
        return {
            "scikit-learn": lambda settings, threads: theirs(**settings),
            "deltarule": lambda settings, threads: ours(**settings, n_threads=threads),
        }

    def rows(self):
        return self.data.rows(self.dtype)


FITS = [
    # Some 50 parameters, 200 rows; and more and larger.
    *(Case(made(200, 10, 2), (4,), solver, dtype, None, "tanh") for solver in ("adam", "lbfgs") for dtype in ("float32", "float64")),
    *(Case(made(2_000, 20, 3), (50,), solver, dtype) for solver in ("adam", "sgd", "lbfgs") for dtype in ("float32", "float64")),
    Case(made(2_000, 20, 0), (50,), "adam", "float64"),
    Case(made(2_000, 20, 0), (50,), "lbfgs", "float64", None, "tanh"),
    *(Case(DIGITS, (100,), solver, dtype) for solver in ("adam", "sgd", "lbfgs") for dtype in ("float32", "float64")),
    Case(DIGITS, (10,), "adam", "float64"),
    Case(DIGITS, (100, 100), "adam", "float64", 32),
    *(Case(CAR, (20,), solver, "float64") for solver in ("adam", "sgd", "lbfgs")),
    Case(CAR, (100,), "adam", "float32"),
    Case(made(20_000, 64, 5), (128, 64), "adam", "float32"),
    Case(made(20_000, 64, 5), (128, 64), "sgd", "float64"),
    Case(made(50_000, 20, 2), (100,), "adam", "float64"),
    Case(made(50_000, 64, 5), (256, 256), "adam", "float32", 256),
    Case(made(5_000, 64, 5), (256, 256), "lbfgs", "float64"),
    Case(IMAGES, (100,), "adam", "float32"),
    Case(IMAGES, (100,), "sgd", "float64"),
    Case(IMAGES, (512, 512), "adam", "float32", 128),
    Case(made(5_000, 900, 10), (1024, 1024), "adam", "float32"),
    Case(made(5_000, 900, 10), (1024, 1024), "sgd", "float64"),
    Case(made(5_000, 900, 10), (1024, 1024), "lbfgs", "float32"),
]
PREDICTS = [
    Case(made(10_000, 10, 2), (4,), dtype="float64", activation="tanh"),
    Case(made(10_000, 20, 3), (50,)),
    Case(made(10_000, 20, 0), (50,), dtype="float64"),
    Case(made(10_000, 64, 10), (100,)),
    Case(made(10_000, 64, 10), (100,), dtype="float64"),
    Case(made(10_000, 64, 5), (256, 256)),
    Case(made(10_000, 784, 10), (512, 512)),
    Case(made(10_000, 900, 10), (1024, 1024)),
]
QUICK_FITS = [
    Case(made(200, 10, 2), (4,), "adam", "float64", None, "tanh"),
    Case(CAR, (20,), "lbfgs", "float64"),
    Case(DIGITS, (100,), "adam", "float32"),
    Case(DIGITS, (100,), "sgd", "float64"),
    Case(made(2_000, 20, 0), (50,), "lbfgs", "float64", None, "tanh"),
]
QUICK_PREDICTS = [Case(made(10_000, 20, 3), (50,))]

# ------------------------------------------------------------------------------------------------------------- timing


def parameters(estimator):
    return sum(coef.size for coef in estimator.coefs_) + sum(intercept.size for intercept in estimator.intercepts_)


def goal(count):
    return next(goal for below, goal in GOALS if count < below)


def spent(work):
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def alternate(sides, rounds):
    """The times of each side, whichever begins taking turns."""
    times = {name: [] for name in sides}
    for turn in range(rounds):
        order = list(sides) if turn % 2 == 0 else list(sides)[::-1]
        for name in order:
            times[name].append(sides[name]())
    return times


def row_of(case, count, work, threads, times, faults):
    ratios = [theirs / ours for theirs, ours in zip(times["scikit-learn"], times["deltarule"])]
    ratio = statistics.median(ratios)
    if ratio < goal(count):
        faults = [*faults, f"below {goal(count):g}x"]
    return {
        "case": case.title(),
        "work": work,
        "rows": len(case.rows()[0]),
        "parameters": count,
        "threads": threads or "all",
        "seconds": {name: statistics.median(values) for name, values in times.items()},
        "times": times,
        "ratio": ratio,
        "quartiles": quartiles(ratios),
        "goal": goal(count),
        "faults": faults,
    }


def fit_case(case, threads, rounds, seconds):
    x, y = case.rows()
    makers = case.makers()
    probe = makers["scikit-learn"](case.settings(1), threads)
    one = min(spent(lambda: probe.fit(x, y))[0] for _ in range(2))
    passes = int(min(500, max(1, round(seconds / one))))
    settings = case.settings(passes)
    fitted = {}

    def side(name):
        def run():
            estimator = makers[name](settings, threads)
            took, fitted[name] = spent(lambda: estimator.fit(x, y))
            # Of L-BFGS, an iteration's.
            return took / (estimator.n_iter_ if case.solver == "lbfgs" else 1)

        return run

    times = alternate({name: side(name) for name in makers}, rounds)
    ours, theirs = fitted["deltarule"], fitted["scikit-learn"]
    faults = []
    if case.solver != "lbfgs" and ours.n_iter_ != theirs.n_iter_:
        faults.append(f"{ours.n_iter_} passes, scikit-learn {theirs.n_iter_}")
    scores = [estimator.score(x, y) for estimator in (ours, theirs)]
    losses = [float(estimator.loss_) for estimator in (ours, theirs)]
    better = scores[0] > scores[1] - ACCURACY or losses[0] < losses[1] * (1 + LOSS)
    worse = scores[1] > scores[0] - ACCURACY or losses[1] < losses[0] * (1 + LOSS)
    if not (better and worse):
        faults.append("answers differ")
    one, many = ("iteration", "iterations") if case.solver == "lbfgs" else ("pass", "passes")
    work = f"fit, {passes} {one if passes == 1 else many}"
    found = row_of(case, parameters(theirs), work, threads, times, faults)
    return found | {"scores": scores, "losses": losses, "iterations": [ours.n_iter_, theirs.n_iter_]}


def predict_cases(case, threads, rounds, seconds):
    x, y = case.rows()
    few = min(len(x), 1000)
    theirs = case.makers()["scikit-learn"](case.settings(1), threads).fit(x[:few], y[:few])
    ours = getattr(deltarule, type(theirs).__name__).from_sklearn(theirs).set_params(n_threads=threads)
    answer = "predict" if not hasattr(theirs, "classes_") else "predict_proba"
    tolerance = 1e-5 if case.dtype == "float32" else 1e-12
    said = [getattr(estimator, answer)(x) for estimator in (ours, theirs)]
    faults = [] if np.allclose(*said, rtol=tolerance, atol=tolerance) else ["answers differ"]
    for count in PREDICTED:
        part = np.ascontiguousarray(x[:count])
        assert len(part) == count
        once = min(spent(lambda: theirs.predict(part))[0] for _ in range(3))
        repeats = int(min(2000, max(1, round(seconds / 10 / once))))

        def side(estimator, part=part, repeats=repeats):
            def run():
                took, _ = spent(lambda: [estimator.predict(part) for _ in range(repeats)])
                return took / repeats

            return run

        sides = {"scikit-learn": side(theirs), "deltarule": side(ours)}
        times = alternate(sides, rounds)
        found = row_of(case, parameters(theirs), f"predict {count:,} row{'s'[: count > 1]}", threads, times, faults)
        yield found | {"rows": count}


# -------------------------------------------------------------------------------------------------------------- output


def duration(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def markdown(rows, facts):
    head = ["data; hidden layers; solver; type", "work", "rows", "parameters", "threads"]
    head += ["scikit-learn", "deltarule", "faster", "goal", "verdict"]
    lines = []
    for row in rows:
        low, _, high = row["quartiles"]
        verdict = "**" + ", ".join(row["faults"]) + "**" if row["faults"] else "met"
        lines.append(
            [
                row["case"],
                row["work"],
                f"{row['rows']:,}",
                f"{row['parameters']:,}",
                str(row["threads"]),
                duration(row["seconds"]["scikit-learn"]),
                duration(row["seconds"]["deltarule"]),
                f"{row['ratio']:.2f}x ({low:.2f} to {high:.2f})",
                f"{row['goal']:g}x",
                verdict,
            ]
        )
    return "\n".join(["# deltarule's estimators beside scikit-learn's", "", *facts, "", table(head, lines)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", metavar="N", type=int, default=7, help="of each side, alternating: 7")
    parser.add_argument("--threads", metavar="LIST", default="1,all", help="1,all")
    parser.add_argument("--only", choices=["fit", "predict"], help="not the other")
    parser.add_argument("--cases", metavar="REGEX", default="", help="those whose title has it")
    parser.add_argument("--seconds", metavar="S", type=float, default=0.5, help="of scikit-learn's fit, by the number of passes: 0.5")
    parser.add_argument("--quick", action="store_true", help="a few small cases, one round: whether it works, no figures")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.quick:
        arguments.rounds, arguments.seconds, arguments.threads = 1, 0.05, "1"
    fits, predicts = (QUICK_FITS, QUICK_PREDICTS) if arguments.quick else (FITS, PREDICTS)
    has_images = (MNIST / "train-images-idx3-ubyte").exists()

    def wanted(case):
        return re.search(arguments.cases, case.title()) and (has_images or case.data is not IMAGES)

    if not arguments.quick and not has_images:
        print("compare: skipped MNIST, its files are not there (scripts/fetch-data mnist)", file=sys.stderr)
    rows, strangers = [], Strangers()
    for word in arguments.threads.split(","):
        threads = None if word == "all" else int(word)
        with threadpool_limits(threads):
            if arguments.only != "predict":
                for case in filter(wanted, fits):
                    rows.append(fit_case(case, threads or 0, arguments.rounds, arguments.seconds))
                    report(rows[-1])
            if arguments.only != "fit":
                for case in filter(wanted, predicts):
                    for row in predict_cases(case, threads or 0, arguments.rounds, arguments.seconds):
                        rows.append(row)
                        report(row)
    met = sum(not row["faults"] for row in rows)
    facts = [
        f"{datetime.date.today()}, {processor()}, {os.cpu_count()} cores; deltarule {deltarule.__version__},"
        f" scikit-learn {sklearn.__version__}, NumPy {np.__version__}, Python {platform.python_version()}; {strangers.share()}.",
        "",
        f"- Medians of {arguments.rounds} rounds, sides alternating; *faster* is the median of the rounds' ratios, with its quartiles.",
        "- The same rows, network, solver, batch, rate, penalty and passes, all of which are made; of L-BFGS the time of an iteration.",
        f"- {met} of {len(rows)} goals are met.",
    ]
    text = markdown(rows, facts)
    print(text)
    TARGET.mkdir(exist_ok=True)
    (TARGET / "compare-sklearn.md").write_text(text + "\n")
    (TARGET / "compare-sklearn.json").write_text(json.dumps(rows, indent=1) + "\n")
    differ = any("answers differ" in row["faults"] for row in rows)
    sys.exit(0 if met == len(rows) or arguments.quick and not differ else 1)


def report(row):
    """How far it is, for whoever waits."""
    print(f"{row['case']}; {row['work']}; {row['threads']}: {row['ratio']:.2f}x", file=sys.stderr)


if __name__ == "__main__":
    main()
