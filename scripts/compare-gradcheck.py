"""The gradient check of every parameter of a network beside PyTorch's; run by scripts/compare.

    compare-gradcheck.py [--rounds N] [--rows LIST]
    compare-gradcheck.py serve                         PyTorch's side, which answers as benches/peer_gradcheck.rs does

All sides get the same parameters, rows and targets as raw files, and are processes that alternate, held to one core. Before any time
is taken their losses and gradients must be the same, each side must find that gradient right, and wrong as soon as its largest entry
is off by one hundredth. PyTorch's is `torch.autograd.gradcheck` as it comes: every coordinate, two values for each, in f64. A check
counts the gradient that it checks, on all sides.

Prints Markdown, which is also in target/compare-gradcheck.md; every figure is in target/compare-gradcheck.json.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import sys
import time

import numpy as np
from compare_rows import FOLDER, TARGET, Row, write
from compare_sides import Process, Strangers, cores, import_torch, processor, quartiles, rounds_of, serve, table

# Nanoseconds of one measurement: some checks of the small networks, one of the others.
SLICE = 200_000_000
# So many rounds of a network this large: PyTorch takes half a minute for each.
LARGE, ROUNDS_OF_LARGE = 10_000, 3

TITLES = {"differences": "differences alone", "all": "all witnesses", "torch": "PyTorch"}
# The headline is the first row. All witnesses take at most so many seconds; differences alone are so many times as fast.
HEADLINE = "G1"
MOST_SECONDS = 10
LEAST_RATIO = 20

# Relative to the largest entry: two sums of some thousand products in f64.
TOLERANCE = 1e-11


def row(name, widths, hidden, rows):
    job = {"work": "gradient", "type": "f64", "biases": True, "output": "softmax"}
    return Row(name, job | {"widths": widths, "hidden": hidden, "rows": rows})


ROWS = [
    row("G1", [784, 100, 10], "relu", 32),
    row("G2", [20, 10, 3], "tanh", 16),
    row("G3", [64, 64, 10], "tanh", 32),
    row("G4", [100, 50, 50, 10], "gelu", 32),
]


def parameters(row):
    return sum((inputs + 1) * outputs for inputs, outputs in zip(row.widths, row.widths[1:]))


def title(row):
    return f"{'-'.join(map(str, row.widths))} {row.hidden}, {row.rows} rows, {parameters(row):,} parameters"


# ------------------------------------------------------------------------------------------------------ PyTorch's side


class PyTorch:
    """torch.autograd.gradcheck in slow mode, which looks at every coordinate; all its settings are the defaults."""

    def __init__(self):
        self.torch = torch = import_torch()
        from torch.autograd.gradcheck import GradcheckError, gradcheck

        self.gradcheck, self.refusal = gradcheck, GradcheckError
        torch.set_num_threads(1)
        self.about = f"PyTorch {torch.__version__} at {torch.backends.cpu.get_cpu_capability()}"

        class Spoil(torch.autograd.Function):
            """The numbers themselves, and of their gradient one entry off by one hundredth."""

            @staticmethod
            def forward(context, numbers, at):
                context.at = at
                return numbers.view_as(numbers)

            @staticmethod
            def backward(context, gradient):
                gradient = gradient.clone()
                gradient[context.at] *= 1.01
                return gradient, None

        self.spoil = Spoil.apply

    def load(self, job):
        torch = self.torch
        folder, widths = pathlib.Path(job["folder"]), job["widths"]
        self.x = torch.from_numpy(np.fromfile(folder / "x").reshape(-1, widths[0]))
        self.labels = torch.from_numpy(np.fromfile(folder / "y").reshape(-1, widths[-1])).argmax(1)
        flat, at, self.params = torch.from_numpy(np.fromfile(folder / "params")), 0, []
        for inputs, outputs in zip(widths, widths[1:]):
            # A linear layer of PyTorch has its weights transposed, outputs x inputs.
            weights = flat[at : at + inputs * outputs].view(inputs, outputs).t().contiguous()
            at += inputs * outputs
            self.params += [weights.requires_grad_(), flat[at : at + outputs].clone().requires_grad_()]
            at += outputs
        self.activate = {"relu": torch.relu, "tanh": torch.tanh, "gelu": torch.nn.functional.gelu}[job["hidden"]]

    def loss(self, *params):
        """The mean loss, as a function of the parameters."""
        linear = self.torch.nn.functional.linear
        a = self.x
        for weights, biases in zip(params[:-2:2], params[1:-2:2]):
            a = self.activate(linear(a, weights, biases))
        return self.torch.nn.functional.cross_entropy(linear(a, *params[-2:]), self.labels)

    def answer(self):
        """The loss and its gradient, in the order of the file."""
        loss = self.loss(*self.params)
        slopes = self.torch.autograd.grad(loss, self.params)
        return np.concatenate([[loss.item()], *(slope.t().numpy().ravel() if slope.dim() == 2 else slope.numpy() for slope in slopes)])

    def spoiled(self, index):
        """The loss with a gradient that is wrong at an index of the file."""
        for which, param in enumerate(self.params):
            if index < param.numel():
                break
            index -= param.numel()
        else:
            raise IndexError("there is no such entry")
        at = (index % param.shape[0], index // param.shape[0]) if param.dim() == 2 else (index,)

        def loss(*params):
            return self.loss(*params[:which], self.spoil(params[which], at), *params[which + 1 :])

        return loss

    def check(self, loss):
        """Its error, if it has one to raise."""
        try:
            return None if self.gradcheck(loss, self.params, fast_mode=False) else "it gave False"
        except self.refusal as error:
            return str(error)

    def verdict(self, loss):
        fault = self.check(loss)
        return "right" if fault is None else "wrong, " + " ".join(fault.split())[:100]

    def time(self, repetitions):
        begun = time.perf_counter_ns()
        for _ in range(repetitions):
            self.check(self.loss)
        return time.perf_counter_ns() - begun


# ----------------------------------------------------------------------------------------------------------- measuring


class Side:
    """A process that checks gradients, and what it is called."""

    def __init__(self, name, command, held, settings):
        self.name, self.process = name, Process(command, held, **settings)
        self.about = self.process.ask("about")

    def load(self, row):
        """Loads a row; the loss and its gradient."""
        self.process.ask("load", json.dumps(row.job))
        self.process.ask("answer", FOLDER / "answer")
        return np.fromfile(FOLDER / "answer", dtype="<f8")

    def require_verdicts(self, row, index):
        """Right is right, and wrong wrong: or there is nothing to time."""
        for request, expected in ((("verdict",), "right"), (("spoiled", index), "wrong")):
            answer = self.process.ask(*request)
            if answer.partition(",")[0] != expected:
                raise SystemExit(f"compare: {TITLES[self.name]} says '{answer}' of {title(row)} where it is {expected}")

    def time(self, repetitions):
        return int(self.process.ask("time", repetitions)) / repetitions


def same(found, exact):
    """Whether two losses and gradients are the same but for rounding."""
    return found.shape == exact.shape and bool(np.abs(found - exact).max() <= TOLERANCE * np.abs(exact).max())


def compare_row(row, sides, rounds):
    """Checks the verdicts of all sides, and measures; the record of it."""
    write(row)
    answers = [side.load(row) for side in sides]
    index = int(np.abs(answers[0][1:]).argmax())
    spoiled = answers[0].copy()
    spoiled[1 + index] *= 1.01
    if same(spoiled, answers[0]):
        raise SystemExit("compare: the comparison of gradients does not work")
    for side, answer in zip(sides, answers):
        if not same(answer, answers[0]):
            raise SystemExit(f"compare: {TITLES[side.name]} has another gradient of {title(row)}")
        side.require_verdicts(row, index)
    rounds = min(rounds, ROUNDS_OF_LARGE) if parameters(row) > LARGE else rounds
    times = rounds_of(sides, SLICE, rounds)
    record = {"title": title(row), "spoiled": index, "rounds": rounds, "sides": {}}
    for side, found in zip(sides, times):
        # How many times as long the last side, PyTorch, takes.
        ratios = [theirs / ours for theirs, ours in zip(times[-1], found)]
        record["sides"][side.name] = {"ns": quartiles(found), "ratio": quartiles(ratios), "rounds_ns": found}
    return record


# ------------------------------------------------------------------------------------------------------------ printing


def duration(nanoseconds):
    """A median in its unit, three digits, and the quartiles in the same unit."""
    low, middle, high = nanoseconds
    unit, size = next((unit, size) for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)) if middle >= size)
    digits = max(0, 3 - len(str(int(middle / size))))
    low, middle, high = (f"{number / size:.{digits}f}" for number in (low, middle, high))
    return f"{middle} {unit} ({low} to {high})"


def faster(ratio):
    low, middle, high = (f"{number:.{max(0, 3 - len(str(int(number))))}f}" for number in ratio)
    return f"**{middle}x** ({low} to {high})"


def goal(name, record):
    """What was to be reached, and whether it was."""

    def said(met):
        return "met" if met else "**not met**"

    differences = record["sides"]["differences"]["ratio"][1] if "torch" in record["sides"] else None
    parts = []
    if name == HEADLINE:
        seconds = record["sides"]["all"]["ns"][1] / 1e9
        parts.append(f"all witnesses in {MOST_SECONDS} s: {said(seconds <= MOST_SECONDS)}")
    fast = "not measured" if differences is None else said(differences >= LEAST_RATIO)
    return "; ".join([*parts, f"differences {LEAST_RATIO}x PyTorch: {fast}"])


def markdown(facts, rounds, records):
    columns = ["", "network", "PyTorch", "differences alone", "PyTorch to it", "all witnesses", "PyTorch to it", "goal"]
    rows = []
    for name, record in records.items():
        sides = record["sides"]
        times = {side: duration(found["ns"]) for side, found in sides.items()}
        ratios = {side: faster(found["ratio"]) if "torch" in sides else "" for side, found in sides.items()}
        ours = [cell for side in ("differences", "all") for cell in (times[side], ratios[side])]
        rows.append([name, record["title"], times.get("torch", ""), *ours, goal(name, record)])
    return f"""## Gradient checks

- {facts[0]}
- {facts[1]}
- Medians of {rounds} rounds ({min(rounds, ROUNDS_OF_LARGE)} of a network above {LARGE:,} parameters), sides alternating, and in brackets the
  quartiles: of the times, and of how many times as long PyTorch takes.
- Every parameter of a softmax network by itself, f64, cross-entropy averaged over the rows. Before any time is taken, all sides have
  the same gradient, find it right, and find it wrong with its largest entry off by one hundredth.
- PyTorch: `torch.autograd.gradcheck`, `fast_mode=False`, all else by default: two values for each parameter, 1e-6 apart from it, and
  a relative tolerance of 1e-3. Ours: four values and an estimate of their error, 1e-7; all witnesses are dual numbers and a complex
  step besides. JAX's `check_grads` takes random directions, no single parameter, and so has no column.

{table(columns, rows)}"""


def listed(text):
    known = [row.name for row in ROWS]
    found = [word for word in text.split(",") if word]
    if unknown := [word for word in found if word not in known]:
        raise argparse.ArgumentTypeError(f"expected some of {','.join(known)}, found {','.join(unknown)}")
    return found


def main():
    parser = argparse.ArgumentParser(prog="scripts/compare gradcheck", description="Gradient checks beside PyTorch's.")
    names = [row.name for row in ROWS]
    parser.add_argument("--rounds", metavar="N", type=int, default=9, help=f"of each side, alternating: 9 (G1: at most {ROUNDS_OF_LARGE})")
    parser.add_argument("--rows", metavar="LIST", type=listed, default=names, help=",".join(names))
    arguments = parser.parse_args()

    held = cores(1)
    settings = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    # For all sides malloc keeps what is freed, as scripts/compare-steps.py says.
    settings |= {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}
    commands = {name: [os.environ["PEER"], "serve", name] for name in ("differences", "all")}
    if os.environ.get("TORCH"):
        commands["torch"] = [sys.executable, "-W", "ignore", __file__, "serve"]
    strangers = Strangers()
    sides = [Side(name, command, held, settings) for name, command in commands.items()]
    records = {}

    def write_down():
        place = f"pinned to core {held[0]}" if held else "not pinned"
        abouts = [side.about for side in sides[:1] + sides[2:]]
        facts = [
            f"{datetime.date.today()}, {processor()}, {platform.system()} {platform.release()}; 1 thread {place}; {strangers.share()}",
            f"{'; '.join(abouts)}; Python {platform.python_version()}; {os.environ.get('COMPILERS', '')}",
        ]
        text = markdown(facts, arguments.rounds, records)
        (TARGET / "compare-gradcheck.md").write_text(text)
        document = {"facts": facts, "rounds": arguments.rounds, "records": [{"row": name, **record} for name, record in records.items()]}
        (TARGET / "compare-gradcheck.json").write_text(json.dumps(document, indent=1) + "\n")
        return text

    for row in ROWS:
        if row.name in arguments.rows:
            print(f"compare: {row.name}, {title(row)}", file=sys.stderr)
            records[row.name] = compare_row(row, sides, arguments.rounds)
            text = write_down()  # It may be ended before the last row.
    for side in sides:
        side.process.end()
    print(text)


if sys.argv[1:] == ["serve"]:
    peer = PyTorch()
    serve(
        {
            "about": lambda _: peer.about,
            "load": lambda job: peer.load(json.loads(job)),
            "answer": lambda file: peer.answer().tofile(file),
            "verdict": lambda _: peer.verdict(peer.loss),
            "spoiled": lambda index: peer.verdict(peer.spoiled(int(index))),
            "time": lambda repetitions: peer.time(int(repetitions)),
        }
    )
else:
    main()
