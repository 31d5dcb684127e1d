"""Whole training steps and predictions beside those of other libraries; run by scripts/compare.

    compare-steps.py [--peers LIST] [--rows LIST] [--rounds N] [--threads LIST]

Every side is a process that answers requests (benches/peer_steps.rs says which), so that the sides alternate within a round and
none shares memory or settings with another. All get the same parameters, rows and targets as raw files. Before any time is taken,
the losses of each side's first five steps (a gradient, the mean loss of an epoch, outputs) are compared with those that this
program computes in f64; a side whose answer differs is not timed. Every measurement starts from the first parameters again.

Prints Markdown, which is also in target/compare-steps.md; every figure is in target/compare-steps.json.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import sys
import time

import numpy as np
from compare_sides import Process, processor, table

TARGET = pathlib.Path("target")
FOLDER = TARGET / "compare-steps"
MNIST = TARGET / "data/mnist"
SEED = 20_260_201
# Nanoseconds of one measurement: some steps of all but the largest networks.
SLICE = 60_000_000
# Idle threads of some libraries look for work for a while, before they sleep: 2^26 cycles OpenBLAS's.
PAUSE_SECONDS = 0.05
# Milliseconds of each look at the limit of the arithmetic.
LIMIT = 10

# ---------------------------------------------------------------------------------------------------------------- rows


class Row:
    """A network, its rows, and what is repeated: `step` (forward, loss, backward, update), `gradient`, `epoch` or `predict`."""

    def __init__(self, name, widths, hidden, output, rows, work="step", method="sgd", rate=0.01, batch=None, kind="f32", biases=True):
        self.name = name
        self.job = {
            "work": work,
            "type": kind,
            "widths": widths,
            "biases": biases,
            "hidden": hidden,
            # `softmax` is trained on cross-entropy; `identity` and `sigmoid` on half the squared error, summed over outputs. The
            # loss is the mean over rows.
            "output": output,
            "rows": rows,
            "batch": batch or rows,
            # `sgd` without momentum, or `adam` with 0.9, 0.999 and 1e-8.
            "method": method,
            "rate": rate,
            "folder": str(FOLDER),
        }

    def __getattr__(self, name):
        return self.job[name]

    def title(self):
        network = f"{'-'.join(map(str, self.widths))} {self.hidden}"
        if self.work == "predict":
            return f"{network}, {self.rows} row{'s'[: self.rows > 1]}"
        if self.work == "epoch":
            return f"{network}, an epoch of {self.rows:,} rows by {self.batch}, {self.method}"
        return f"{network}, {self.rows:,} rows, {'value and gradient' if self.work == 'gradient' else self.method}, {self.kind()}"

    def kind(self):
        return self.job["type"]

    def operations(self):
        """Those of its matrix products: the first layer has no gradient of its inputs."""
        products = [inputs * outputs for inputs, outputs in zip(self.widths, self.widths[1:])]
        backward = sum(products) + sum(products[1:])
        return 2 * self.rows * (sum(products) + (0 if self.work == "predict" else backward))


ADAM = {"method": "adam", "rate": 0.001}
ROWS = [
    # The exclusive-or document's own numbers; its step adds up the four rows.
    Row("T1", [3, 4, 1], "sigmoid", "sigmoid", 4, rate=4.0, kind="f64", biases=False),
    # Two networks on which SimpleChains is measured: exponentials of 2 x 2 matrices, and a small regression.
    Row("T2", [4, 32, 16, 4], "tanh", "identity", 10_000, **ADAM),
    Row("T3", [24, 8, 2], "tanh", "identity", 200, work="gradient"),
    # A small table's; handwritten digits'.
    Row("T4", [21, 100, 4], "relu", "softmax", 200, **ADAM),
    Row("T5", [784, 100, 10], "relu", "softmax", 200, **ADAM),
    Row("T6", [784, 512, 512, 10], "relu", "softmax", 128, **ADAM),
    Row("T7", [1024, 2048, 2048, 2048, 1000], "relu", "softmax", 512, rate=0.1),
    Row("T8", [784, 512, 512, 10], "relu", "softmax", 60_000, work="epoch", batch=128, **ADAM),
    Row("P1", [6, 64, 8, 4], "relu", "softmax", 1, work="predict"),
    Row("P2", [784, 256, 128, 10], "relu", "softmax", 1, work="predict"),
    Row("P3", [784, 256, 128, 10], "relu", "softmax", 256, work="predict"),
    Row("P4", [6, 64, 8, 4], "relu", "softmax", 256, work="predict"),
]

TITLES = {
    "numpy": "NumPy",
    "sklearn": "scikit-learn",
    "torch": "PyTorch",
    "jax": "JAX",
    "onnxruntime": "ONNX Runtime",
    "candle": "candle",
    "burn": "burn",
}
# On one thread: at least so many times as fast as that peer; or that share of the limit of the arithmetic.
GOALS = {
    "T1": ("numpy", 52),
    "T2": ("torch", 4.5),
    "T3": ("limit", 0.45),
    "T4": ("torch", 14),
    "T5": ("torch", 2.5),
    "T6": ("torch", 1.3),
    "T7": ("torch", 1.3),
    "T8": ("torch", 1.4),
    "P1": ("onnxruntime", 51),
    "P2": ("onnxruntime", 2.1),
    "P3": ("torch", 1.23),
    "P4": ("onnxruntime", 3),
}

# ---------------------------------------------------------------------------------------------------------------- data


def xor():
    random = np.random.RandomState(1)
    params = 2 * random.random_sample(16) - 1
    return params, np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]), np.array([[0], [1], [1], [0]])


def mnist(random):
    """MNIST's training rows, or as many random ones; and which."""
    try:
        pixels = np.fromfile(MNIST / "train-images-idx3-ubyte", dtype=np.uint8)[16:]
        labels = np.fromfile(MNIST / "train-labels-idx1-ubyte", dtype=np.uint8)[8:]
        return pixels.reshape(-1, 784) / np.float32(255), labels, "MNIST"
    except OSError:
        return random.random((60_000, 784), dtype=np.float32), random.integers(10, size=60_000), "random numbers like MNIST's"


def matrix_exponentials(x):
    """Of the 2 x 2 matrix in each row, by its series."""
    matrices = x.reshape(-1, 2, 2)
    total = term = np.broadcast_to(np.eye(2), matrices.shape)
    for k in range(1, 25):
        term = term @ matrices / k
        total = total + term
    return total.reshape(-1, 4)


def numbers(row):
    """Parameters, inputs and targets of a row, and where they are from, if that is not chance."""
    random = np.random.default_rng([SEED, ROWS.index(row)])
    if row.name == "T1":
        return *xor(), ""
    params = []
    for inputs, outputs in zip(row.widths, row.widths[1:]):
        gain = 2 if row.hidden == "relu" else 1
        params.append(random.normal(0, (gain / inputs) ** 0.5, inputs * outputs))
        params.append(random.uniform(-0.1, 0.1, outputs))  # Not zero, so that one forgotten is noticed.
    params = np.concatenate(params)
    if row.name == "T8":
        x, labels, source = mnist(random)
        return params, x, np.eye(10)[labels], source
    if row.name == "T2":
        x = random.normal(0, 0.5, (row.rows, 4))
        return params, x, matrix_exponentials(x), ""
    x = random.normal(0, 1, (row.rows, row.widths[0]))
    if row.output == "softmax":
        return params, x, np.eye(row.widths[-1])[random.integers(row.widths[-1], size=row.rows)], ""
    return params, x, random.normal(0, 1, (row.rows, row.widths[-1])), ""


# ----------------------------------------------------------------------------------------------------- what is expected

FUNCTIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda a: a > 0),
    "tanh": (np.tanh, lambda a: 1 - a**2),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
    "identity": (lambda z: z, lambda a: 1),
    # Its slope is in the loss.
    "softmax": (lambda z: np.exp(z - z.max(1, keepdims=True)) / np.exp(z - z.max(1, keepdims=True)).sum(1, keepdims=True), lambda a: 1),
}


def split(row, flat):
    """Weights and biases of each layer, as views."""
    at = 0
    for inputs, outputs in zip(row.widths, row.widths[1:]):
        middle = at + inputs * outputs
        end = middle + (outputs if row.biases else 0)
        yield flat[at:middle].reshape(inputs, outputs), flat[middle:end]
        at = end


def passes(row, params, x):
    activations = [x]
    for l, (weights, biases) in enumerate(split(row, params)):
        z = activations[-1] @ weights + (biases if row.biases else 0)
        activations.append(FUNCTIONS[row.output if l + 2 == len(row.widths) else row.hidden][0](z))
    return activations


def gradient(row, params, x, y):
    """The loss and its gradient."""
    activations = passes(row, params, x)
    if row.output == "softmax":
        loss = -(y * np.log(activations[-1])).sum() / len(x)
    else:
        loss = ((activations[-1] - y) ** 2).sum() / 2 / len(x)
    slopes = np.zeros_like(params)
    delta = (activations[-1] - y) / len(x) * FUNCTIONS[row.output][1](activations[-1])
    layers = zip(split(row, params), split(row, slopes), activations)
    for (weights, _), (weight_slopes, bias_slopes), below in reversed(list(layers)):
        weight_slopes[:] = below.T @ delta
        bias_slopes[:] = delta.sum(0) if row.biases else 0
        if below is not x:
            delta = delta @ weights.T * FUNCTIONS[row.hidden][1](below)
    return loss, slopes


class Descent:
    """Plain gradient descent or Adam, from its first step."""

    def __init__(self, row, params):
        self.row, self.params = row, params.copy()
        self.steps, self.mean, self.square = 0, 0, 0

    def step(self, x, y):
        """One step on these rows; the loss before it."""
        loss, slopes = gradient(self.row, self.params, x, y)
        if self.row.method == "sgd":
            self.params -= self.row.rate * slopes
            return loss
        self.steps += 1
        self.mean = 0.9 * self.mean + 0.1 * slopes
        self.square = 0.999 * self.square + 0.001 * slopes**2
        mean, square = self.mean / (1 - 0.9**self.steps), self.square / (1 - 0.999**self.steps)
        self.params -= self.row.rate * mean / (np.sqrt(square) + 1e-8)
        return loss


COMPARED = 5


def expected(row, params, x, y):
    """What every side must answer, in f64."""
    params, x, y = (array.astype(float) for array in (params, x, y))
    if row.work == "predict":
        return passes(row, params, x)[-1].ravel()
    if row.work == "gradient":
        loss, slopes = gradient(row, params, x, y)
        return np.array([loss, *slopes])
    descent = Descent(row, params)
    if row.work == "step":
        return np.array([descent.step(x, y) for _ in range(COMPARED)])
    pieces = [(x[at : at + row.batch], y[at : at + row.batch]) for at in range(0, row.rows, row.batch)]
    return np.array([sum(descent.step(*piece) * len(piece[0]) for piece in pieces) / row.rows])


# The largest difference that is still the same answer. Losses, relative: f32 rounds sums of hundreds of terms, and Adam moves even
# those weights by the rate whose gradient is nothing but rounding. An epoch is hundreds of such steps.
LOSS_TOLERANCE = {"f32": 1e-4, "f64": 1e-11}
EPOCH_TOLERANCE = 5e-3
# Of gradients and probabilities: relative to the largest.
TOLERANCE = 1e-4


def difference(row, found, exact):
    """How far an answer is away, and whether it is still the same."""
    if found.shape != exact.shape:
        return float("inf"), False
    if row.work in ("step", "epoch"):
        error = np.abs(found / exact - 1).max()
        tolerance = EPOCH_TOLERANCE if row.work == "epoch" else LOSS_TOLERANCE[row.kind()]
    else:
        error, tolerance = np.abs(found - exact).max() / np.abs(exact).max(), TOLERANCE
    return error, bool(error <= tolerance)


def require_a_check_that_fails(row, exact):
    """What no training would be must be refused: losses that do not move as they should, one number that is off, or NaN."""
    wrong = [exact.copy() for _ in range(2)]
    wrong[0][-1] += 20 * np.abs(exact).max() * (EPOCH_TOLERANCE if row.work == "epoch" else TOLERANCE)
    wrong[1][0] = np.nan
    if row.work == "step":
        wrong.append(np.full(COMPARED, exact[0]))
        wrong.append(exact[[0, 1, 2, 3, 3]])
    if not difference(row, exact, exact)[1] or any(difference(row, answer, exact)[1] for answer in wrong):
        raise SystemExit(f"compare: the check of answers does not work for {row.name}")


# ----------------------------------------------------------------------------------------------------------- measuring


class Side:
    """One column: a process, and how it does the row at hand."""

    def __init__(self, name, process):
        self.name, self.process, self.title = name, process, TITLES.get(name, "ours")
        self.about = process.ask("about")

    def prepare(self, row, exact):
        """Loads the row and compares its answer: nothing, or why it is not timed."""
        answer = self.process.try_asking("load", json.dumps(row.job))
        verdict, _, rest = answer.partition(" ")
        if verdict != "ok":
            self.how = ""
            return (rest if verdict == "none:" else answer) or "it has ended"
        self.how = rest
        file = FOLDER / "answer"
        file.unlink(missing_ok=True)
        answer = self.process.try_asking("answer", file)
        if answer != "ok":
            return answer or "it has ended"
        self.error, same = difference(row, np.fromfile(file, dtype="<f8"), exact)
        return None if same else f"wrong, its answer differs by {self.error:.1e}"

    def time(self, repetitions):
        return int(self.process.ask("time", repetitions)) / repetitions


def repetitions(side):
    """How many fill a slice."""
    count = 1
    while (once := side.time(count)) * count < SLICE / 10 and count < 1 << 24:
        count *= 10
    return max(1, round(SLICE / once))


def measure(sides, rounds, threads):
    """Nanoseconds of each side round by round, each round beginning with another; and of each round the limit in GF/s."""
    counts = [repetitions(side) for side in sides]
    times, limits = [[] for _ in sides], []
    for turn in range(rounds):
        limits.append(float(sides[0].process.ask("limit", LIMIT)))
        for place in range(len(sides)):
            which = (turn + place) % len(sides)
            if threads > 1:
                time.sleep(PAUSE_SECONDS)
            times[which].append(sides[which].time(counts[which]))
    return times, limits


def quartiles(values):
    """The first quartile, the median and the third."""
    if len(values) == 1:
        return values * 3
    return statistics.quantiles(values, n=4, method="inclusive")


def compare_row(row, sides, rounds, threads):
    """Measures a row with every side that gives the right answer; the record of it."""
    params, x, y, source = numbers(row)
    dtype = {"f32": "<f4", "f64": "<f8"}[row.kind()]
    FOLDER.mkdir(exist_ok=True)
    params, x, y = (np.ascontiguousarray(array, dtype=dtype) for array in (params, x, y))
    for name, array in (("params", params), ("x", x), ("y", y)):
        array.tofile(FOLDER / name)
    exact = expected(row, params, x, y)
    require_a_check_that_fails(row, exact)
    record, taking = {"title": row.title(), "data": source, "threads": threads, "sides": {}}, []
    for side in sides:
        print(f"compare: {row.name}, {threads} thread{'s'[: threads > 1]}: {side.title}", file=sys.stderr)
        refusal = side.prepare(row, exact)
        record["sides"][side.name] = {"refused": refusal} if refusal else {"how": side.how, "error": side.error}
        if not refusal:
            taking.append(side)
        elif side.name == "ours":
            raise SystemExit(f"compare: our {row.name}: {refusal}")
        else:
            print(f"compare: skipped {row.name} of {side.title}, {refusal}", file=sys.stderr)
    times, limits = measure(taking, max(3, rounds // 3) if row.work == "epoch" else rounds, threads)
    for side, found in zip(taking, times):
        ratios = [theirs / ours for theirs, ours in zip(found, times[0])]
        record["sides"][side.name] |= {"ns": quartiles(found), "ratio": quartiles(ratios), "rounds_ns": found}
    if row.kind() == "f32" and threads == 1:
        shares = [row.operations() / ours / limit for ours, limit in zip(times[0], limits)]
        record["limit"] = {"gigaflops": quartiles(limits), "share": quartiles(shares)}
    return record


# ------------------------------------------------------------------------------------------------------------ printing


def duration(nanoseconds):
    """In its unit, three digits."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= size:
            break
    else:
        unit, size = "ns", 1
    number = nanoseconds / size
    return f"{number:.{max(0, 2 - len(str(int(number))) + 1)}f} {unit}"


def times_as_long(ratio):
    return f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.1f}x" if ratio < 100 else f"{ratio:.0f}x"


def cell(name, found):
    if found is None:
        return ""
    if refusal := found.get("refused"):
        return "wrong" if refusal.startswith("wrong") else "" if not refusal.startswith("error") else "failed"
    low, middle, high = map(duration, found["ns"])
    if name == "ours":
        return f"{middle} ({low} to {high})"
    low, ratio, high = map(times_as_long, found["ratio"])
    return f"{middle}, **{ratio}** ({low} to {high})"


def goal(name, record):
    """What was to be reached, and whether it was."""
    which, least = GOALS[name]
    if which == "limit":
        share = record["limit"]["share"][1]
        return f"{least:.0%} of the limit: {share:.0%}, {'met' if share >= least else '**not met**'}"
    text = f"{least:g}x {TITLES[which]}"
    found = record["sides"].get(which, {}).get("ratio")
    if found is None:
        return f"{text}: not measured"
    return f"{text}: {'met' if found[1] >= least else '**not met**'}"


def markdown(head, records, names):
    """The tables: one for each number of threads."""
    text = head
    for threads in sorted({record["threads"] for record in records.values()}):
        one = threads == 1
        columns = ["", "work", "ours", *(TITLES[name] for name in names), *(["of the FMA limit", "goal"] if one else [])]
        rows = []
        for (name, count), record in records.items():
            if count != threads:
                continue
            cells = [cell(side, record["sides"].get(side)) for side in ("ours", *names)]
            if one:
                cells += [f"{record['limit']['share'][1]:.0%}" if "limit" in record else "", goal(name, record)]
            data = f" ({record['data']})" if record["data"] else ""
            rows.append([name, record["title"] + data, *cells])
        text += f"\n### {'One thread' if one else f'{threads} threads'}\n\n{table(columns, rows)}"
    return text + notes(records, names)


def notes(records, names):
    """How each side did what, and why some did not."""
    lines = {}
    for (name, _), record in records.items():
        for side in names:
            found = record["sides"].get(side, {})
            if text := found.get("refused") or found.get("how"):
                rows = lines.setdefault((side, ("not timed: " if "refused" in found else "") + text), [])
                rows += [name] if name not in rows else []
    return "\n" + "".join(f"- {TITLES[side]}, {', '.join(rows)}: {text}\n" for (side, text), rows in lines.items())


def start(peers, threads):
    """The sides that this machine has, on as many cores as threads; the first is ours."""
    cores = None
    if hasattr(os, "sched_getaffinity"):
        cores = sorted(os.sched_getaffinity(0), reverse=True)[:threads]
        if len(cores) < threads:
            print(f"compare: {threads} threads on {len(cores)} cores", file=sys.stderr)
    commands = {"ours": [os.environ["PEER"], "serve"]}
    for name in peers:
        program = os.environ.get(f"PEER_{name.upper()}")
        commands[name] = [program, "serve"] if program else [sys.executable, "-W", "ignore", str(pathlib.Path(__file__).with_name("compare-peers.py")), name]
    sides = []
    for name, command in commands.items():
        process = Process([*command, str(threads)], cores, TORCHINDUCTOR_CACHE_DIR=str(TARGET.absolute() / "compare-inductor"))
        sides.append(Side(name, process))
    return sides, f"pinned to core{'s'[: threads > 1]} {', '.join(map(str, sorted(cores)))}" if cores else "not pinned"


def listed(known):
    def read(text):
        found = [word for word in text.split(",") if word]
        if unknown := [word for word in found if word not in known]:
            raise argparse.ArgumentTypeError(f"expected some of {','.join(map(str, known))}, found {','.join(unknown)}")
        return found

    return read


def main():
    parser = argparse.ArgumentParser(prog="scripts/compare steps", description="Training steps and predictions beside other libraries'.")
    parser.add_argument("--peers", type=listed(TITLES), default=list(TITLES))
    parser.add_argument("--rows", type=listed([row.name for row in ROWS]), default=[row.name for row in ROWS])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=lambda text: [int(word) for word in text.split(",")], default=[1, 2])
    # For scripts/compare: what is wanted, before anything is installed.
    parser.add_argument("--print-peers", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.print_peers:
        print(*arguments.peers)
        return

    peers = [name for name in arguments.peers if name in os.environ["PEERS"].split()]
    records, abouts, places = {}, [], []
    for threads in arguments.threads:
        sides, place = start(peers, threads)
        abouts = [side.about for side in sides]
        places.append(f"{threads} thread{'s'[: threads > 1]} {place}")
        for row in ROWS:
            if row.name in arguments.rows:
                records[row.name, threads] = compare_row(row, sides, arguments.rounds, threads)
        for side in sides:
            side.process.end()

    limits = [record["limit"]["gigaflops"][1] for record in records.values() if "limit" in record]
    limit = f" The limit is what fused multiply-adds in registers reached on one thread: {statistics.median(limits):.0f} GF/s." if limits else ""
    facts = [
        f"{datetime.date.today()}, {processor()}, {platform.system()} {platform.release()}; {'; '.join(places)}",
        f"{'; '.join(abouts)}; Python {platform.python_version()}; {os.environ.get('COMPILERS', '')}",
    ]
    head = f"""## Training steps and predictions

- {facts[0]}
- {facts[1]}
- Medians of {arguments.rounds} rounds, sides alternating, and in brackets the quartiles: of our time; of the ratio to ours (above 1: ours is
  faster). Every side computed the same losses, gradient or outputs from the same numbers before it was timed.
- A training step is forward, loss, backward and update.{limit} A share of it counts the operations of the matrix products alone.
"""
    text = markdown(head, records, peers)
    (TARGET / "compare-steps.md").write_text(text)
    document = {"facts": facts, "rounds": arguments.rounds, "records": [{"row": name, **record} for (name, _), record in records.items()]}
    (TARGET / "compare-steps.json").write_text(json.dumps(document, indent=1) + "\n")
    print(text)


main()
