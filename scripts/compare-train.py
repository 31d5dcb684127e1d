"""Whole trainings by default settings: held-out accuracy and seconds; run by scripts/compare.

    compare-train.py [--repetitions N] [--first SEED] [--mnist] [--no-tables]

The tables that scikit-learn brings are parted into five folds, N times over, with the seeds from SEED on: none of those by which this
library's defaults were chosen, which were 0 to 9. On each fold stand `deltarule train` and scikit-learn's MLP, both without a
setting, and scikit-learn's behind its StandardScaler, which its users are told to put there. Each fold's figure is computed here,
from the labels that a side predicts. A side's seconds are those until its model is there: for deltarule the whole process, reading
the rows as CSV and saving the model included; for scikit-learn `fit` alone. Then the vertebral column data, whose best settings no one knows beforehand: they are
chosen by nested cross-validation, within the rows trained on. With --mnist, networks of 784-512-512-10, each on one
core. Prints Markdown, writes all to target/compare-train.json, and exits with 1 where a figure of the goal is not met.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np
import sklearn
from compare_rows import MNIST, TARGET
from compare_sides import Strangers, cores, import_torch, processor, table
from sklearn import datasets
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

FOLDER = TARGET / "compare-train"
DELTARULE = os.environ["DELTARULE"]
FOLDS = 5
CLASSES, NUMBERS = ["digits", "wine", "breast_cancer", "iris"], ["diabetes"]
OURS, PLAIN, SCALED = "deltarule", "scikit-learn", "scikit-learn, scaled"
# Of the documented recipe on MNIST (docs/training.md has the same).
RECIPE = "--epochs 60 --solver adamw --weight-decay 0.01 --rate 0.002 --dropout 0.4 --input-dropout 0.1 --max-norm 3 --ema 0.999".split()
# Of the vertebral column data, for each of their test folds anew, by the mean log loss of five folds of the rows trained on.
CHOICES = [
    [*network, "--solver", "lbfgs", "--l2", penalty]
    for network in (["--hidden", "none"], ["--hidden", 10, "--activation", "tanh"], ["--hidden", 100, "--activation", "tanh"])
    for penalty in (0.001, 0.003, 0.01, 0.03, 0.1)
]
VERTEBRAL_GOAL = 0.86
# Over the rows of MNIST; what deltarule makes by default.
PASSES = 21
DEFAULT_GOAL, RECIPE_GOAL, SECONDS_GOAL = 0.983, 0.988, 60


def deltarule(*words, core=None):
    """What a command prints, and its seconds."""
    started = time.perf_counter()
    run = subprocess.run(
        [DELTARULE, *map(str, words)],
        capture_output=True,
        text=True,
        preexec_fn=(lambda: os.sched_setaffinity(0, core)) if core else None,
    )
    seconds = time.perf_counter() - started
    if run.returncode != 0:
        raise SystemExit(f"compare: deltarule {' '.join(map(str, words))} ended with {run.returncode}: {run.stderr[-500:]}")
    return run.stdout, seconds


def write(path, x, y):
    """Rows as CSV, numbers with all their digits."""
    with open(path, "w") as file:
        print(*(f"x{column}" for column in range(x.shape[1])), "y", sep=",", file=file)
        for row, target in zip(x, y):
            print(*map(repr, map(float, row)), target, sep=",", file=file)


def fit_ours(x, y, test, seed, task):
    write(FOLDER / "train.csv", x, y)
    write(FOLDER / "test.csv", test, np.zeros(len(test), dtype=int) if task == "classify" else np.zeros(len(test)))
    model = FOLDER / "model"
    flags = ["--target", "y", "--task", task, "--test", 0, "--seed", seed, "--model", model, "--force"]
    _, seconds = deltarule("train", FOLDER / "train.csv", *flags)
    said, _ = deltarule("predict", model, FOLDER / "test.csv")
    return np.array(said.split()[1:], dtype=y.dtype), seconds


def fit_theirs(x, y, test, seed, task, scaled):
    model = (MLPClassifier if task == "classify" else MLPRegressor)(random_state=seed)
    model = make_pipeline(StandardScaler(), model) if scaled else model
    started = time.perf_counter()
    with warnings.catch_warnings():
        # That 200 passes are not enough.
        warnings.simplefilter("ignore")
        model.fit(x, y)
    seconds = time.perf_counter() - started
    return model.predict(test), seconds


def folds(name, seeds):
    """Figures and seconds of every side, fold by fold."""
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    task = "classify" if name in CLASSES else "regress"
    score, parts = (accuracy_score, StratifiedKFold) if task == "classify" else (r2_score, KFold)
    sides = {
        OURS: lambda *rows: fit_ours(*rows, task),
        PLAIN: lambda *rows: fit_theirs(*rows, task, False),
        SCALED: lambda *rows: fit_theirs(*rows, task, True),
    }
    found = {side: {"scores": [], "seconds": []} for side in sides}
    for seed in seeds:
        for train, test in parts(FOLDS, shuffle=True, random_state=seed).split(x, y):
            for side, fit in sides.items():
                predicted, seconds = fit(x[train], y[train], x[test], seed)
                found[side]["scores"].append(float(score(y[test], predicted)))
                found[side]["seconds"].append(seconds)
    return found


def difference(found, side):
    """The mean of what we have more than a side, and its standard error over the folds."""
    more = np.subtract(found[OURS]["scores"], found[side]["scores"])
    return more.mean(), more.std(ddof=1) / len(more) ** 0.5


def tables(seeds):
    """The table, and what it misses."""
    found, rows, missed = {}, [], []
    for name in CLASSES + NUMBERS:
        print(f"compare: {name}", file=sys.stderr)
        found[name] = folds(name, seeds)
        medians = {side: statistics.median(of["seconds"]) for side, of in found[name].items()}
        cells = [name, "accuracy" if name in CLASSES else "R2"]
        cells += [f"{statistics.fmean(of['scores']):.4f}" for of in found[name].values()]
        for side in (PLAIN, SCALED):
            mean, error = difference(found[name], side)
            cells.append(f"{mean:+.4f} ({error:.4f})")
            if mean < -2 * error:
                missed.append(f"{name}: {mean:+.4f} beside {side}, standard error {error:.4f}")
            if medians[side] <= medians[OURS]:
                missed.append(f"{name}: slower than {side}")
        cells += [f"{seconds * 1e3:.0f} ms" for seconds in medians.values()]
        rows.append(cells)
    for side in (PLAIN, SCALED):
        mean = statistics.fmean(difference(of, side)[0] for of in found.values())
        if mean <= 0:
            missed.append(f"on average {mean:+.4f} beside {side}")
    head = ["data", "figure", *found["iris"], "more than plain", "more than scaled", *(f"{side}: time" for side in found["iris"])]
    return found, table(head, rows), missed


def vertebral(seeds):
    """Five folds, so many times over; the settings of each chosen without it."""
    lines = pathlib.Path("data/vertebral.csv").read_text().splitlines()
    head, rows = lines[0], np.array(lines[1:])
    truth = np.array([row.rpartition(",")[2] for row in rows])
    train, test, model = (FOLDER / name for name in ("train.csv", "test.csv", "model"))
    means, chosen = [], {}
    for seed in seeds:
        scores = []
        for learnt, held_out in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(rows, truth):
            train.write_text("\n".join([head, *rows[learnt]]) + "\n")
            test.write_text("\n".join([head, *rows[held_out]]) + "\n")
            line = ["train", train, "--target", "class", "--seed", seed]

            def loss(choice):
                said, _ = deltarule(*line, "--cv", FOLDS, "--json", *choice)
                return json.loads(said)["cv"]["log_loss"]["mean"]

            best = min(CHOICES, key=loss)
            words = " ".join(map(str, best))
            chosen[words] = chosen.get(words, 0) + 1
            deltarule(*line, "--test", 0, "--model", model, "--force", *best)
            said, _ = deltarule("predict", model, test)
            scores.append(float((np.array(said.split()[1:]) == truth[held_out]).mean()))
        means.append(statistics.fmean(scores))
    mean, error = statistics.fmean(means), statistics.stdev(means) / len(means) ** 0.5
    cells = ["vertebral, settings by nested cross-validation", f"{mean:.4f} ({error:.4f})", f"{FOLDS} folds x {len(means)}"]
    missed = [] if mean >= VERTEBRAL_GOAL else [f"vertebral: {mean:.4f} of {VERTEBRAL_GOAL}, standard error {error:.4f}"]
    return {"vertebral": {"means": means, "chosen": chosen}}, table(["data", "accuracy (standard error)", ""], [cells]), missed


def torch_network(x, y, test, core):
    """What PyTorch's tutorials do: He's uniform weights, Adam at 0.001, batches of 128; and as many passes as here by default."""
    os.sched_setaffinity(0, core)
    torch = import_torch()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    started = time.perf_counter()
    layers = []
    for inputs, outputs in [(784, 512), (512, 512)]:
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(512, 10))
    x, y, test = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64)), torch.from_numpy(test)
    optimizer = torch.optim.Adam(net.parameters())
    for _ in range(PASSES):
        for rows in torch.randperm(len(x)).split(128):
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
    seconds = time.perf_counter() - started
    return net(test).argmax(1).numpy(), seconds


def sklearn_network(x, y, test, core):
    """Its defaults, but for the passes: it would make up to 200, at five seconds each."""
    os.sched_setaffinity(0, core)
    model = MLPClassifier((512, 512), max_iter=PASSES, random_state=0)
    started = time.perf_counter()
    # Threads that were there before would wait for each other on the one core.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        model.fit(x, y)
    seconds = time.perf_counter() - started
    return model.predict(test), seconds


def deltarule_network(flags, test, core):
    files = [[MNIST / f"{part}-images-idx3-ubyte", "--labels", MNIST / f"{part}-labels-idx1-ubyte"] for part in ("train", "t10k")]
    model = FOLDER / "mnist"
    line = ["--hidden", "512,512", "--threads", 1, "--test", 0, "--model", model, "--force", *flags]
    _, seconds = deltarule("train", *files[0], *line, core=core)
    said, _ = deltarule("predict", model, files[1][0])
    return np.array(said.split()[1:], dtype=np.uint8), seconds


def mnist():
    """The networks of one size, one after the other on one core."""

    def read(part):
        pixels = np.fromfile(MNIST / f"{part}-images-idx3-ubyte", dtype=np.uint8)[16:].reshape(-1, 784)
        return pixels / np.float32(255), np.fromfile(MNIST / f"{part}-labels-idx1-ubyte", dtype=np.uint8)[8:]

    (x, y), (test, truth) = read("train"), read("t10k")
    core = cores(1)
    sides = {
        "deltarule, defaults": (lambda: deltarule_network([], test, core), DEFAULT_GOAL, SECONDS_GOAL),
        f"deltarule, {' '.join(RECIPE)}": (lambda: deltarule_network(RECIPE, test, core), RECIPE_GOAL, None),
        f"scikit-learn, Adam, batches of 200, {PASSES} passes": (lambda: sklearn_network(x, y, test, core), None, None),
    }
    if os.environ.get("TORCH"):
        sides[f"PyTorch, Adam, batches of 128, {PASSES} passes"] = (lambda: torch_network(x, y, test, core), None, None)
    found, rows, missed = {}, [], []
    before = os.sched_getaffinity(0)
    for name, (fit, goal, most) in sides.items():
        print(f"compare: MNIST, {name}", file=sys.stderr)
        predicted, seconds = fit()
        os.sched_setaffinity(0, before)
        accuracy = float((predicted == truth).mean())
        found[name] = {"accuracy": accuracy, "seconds": seconds}
        rows.append([name, f"{accuracy:.4f}", f"{seconds:.1f} s"])
        if goal and accuracy < goal:
            missed.append(f"MNIST, {name}: {accuracy:.4f} of {goal}")
        if most and seconds > most:
            missed.append(f"MNIST, {name}: {seconds:.1f} s of {most}")
    return found, table(["784-512-512-10, one core", "test accuracy", "training"], rows), missed


def main():
    parser = argparse.ArgumentParser(prog="scripts/compare train", description="Whole trainings by default settings.")
    parser.add_argument("--repetitions", type=int, default=10, help="of the five folds")
    parser.add_argument("--first", type=int, default=100, help="the first one's seed")
    parser.add_argument("--mnist", action="store_true", help="networks on MNIST, too (some ten minutes)")
    parser.add_argument("--no-tables", action="store_true", help="those alone")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    strangers = Strangers()
    seeds = range(arguments.first, arguments.first + arguments.repetitions)
    parts = [] if arguments.no_tables else [tables(seeds), vertebral(seeds[:4])]
    parts += [mnist()] if arguments.mnist else []
    found = {name: of for part in parts for name, of in part[0].items()}
    (TARGET / "compare-train.json").write_text(json.dumps(found, indent=1))
    version, _ = deltarule("--version")
    missed = [line for part in parts for line in part[2]]
    print(f"""## Whole trainings

- {datetime.date.today()}, {processor()}, {platform.system()} {platform.release()}; {strangers.share()}
- {version.strip()}, scikit-learn {sklearn.__version__}, NumPy {np.__version__}, Python {platform.python_version()}
- {FOLDS} folds x {arguments.repetitions}, seeds from {arguments.first}; means over the folds, medians of times; in brackets the standard error of the paired difference

{chr(10).join(part[1] for part in parts)}
{chr(10).join(f"- **not met**: {line}" for line in missed) or "All goals are met."}""")
    sys.exit(bool(missed))


main()
