"""Our kernels beside NumPy's, PyTorch's, MKL's, SLEEF's and a plain loop; run by scripts/compare.

    compare-kernels.py compare ROUNDS    the whole comparison, as Markdown on stdout
    compare-kernels.py serve numpy|torch answers requests as benches/peer.rs does (its head says which)

Every side is a process that answers requests, so that they alternate within a round, and none shares memory, threads or
settings with another. Each writes what it computes, which is compared with the exact value before any time is taken.
"""

import datetime
import functools
import math
import os
import pathlib
import platform
import re
import statistics
import sys
import time

import numpy as np
from compare_sides import Process, import_torch, numpy_features, processor, table

TARGET = pathlib.Path("target")
ELEMENTS = 8192
# Nanoseconds of one measurement: a hundred calls of a fast kernel, and far less than what the system runs in between.
SLICE = 1_000_000
TYPES = {"f32": np.dtype("<f4"), "f64": np.dtype("<f8")}
SEED = 20_260_101

# --------------------------------------------------------------------------------------------------- sides in Python

# The layout of benches/peer.rs: the input from the start of a page, the output a third of a page further into its own.
PAGE, SHIFT = 4096, 1344


def buffers(numbers):
    """The numbers as input, and an output as long."""
    stride = -(-numbers.nbytes // PAGE) * PAGE
    memory = np.zeros(2 * stride + 2 * PAGE, dtype=np.uint8)
    start = -memory.ctypes.data % PAGE
    x = memory[start :][: numbers.nbytes].view(numbers.dtype)
    y = memory[start + stride + SHIFT :][: numbers.nbytes].view(numbers.dtype)
    x[:] = numbers
    return x, y


def numpy_side():
    names = {"exp": np.exp, "expm1": np.expm1, "ln": np.log, "ln1p": np.log1p, "tanh": np.tanh}

    def job(function, x, y):
        return functools.partial(names[function], x, out=y) if function in names else None

    return f"NumPy {np.__version__} at {numpy_features()[-1]}", job


def torch_side():
    torch = import_torch()
    torch.set_num_threads(1)
    # What torch.nn.functional calls, which itself has no `out`.
    nn = torch._C._nn
    partial = functools.partial
    names = {
        "exp": torch.exp,
        "expm1": torch.expm1,
        "ln": torch.log,
        "ln1p": torch.log1p,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "softplus": nn.softplus,
        "silu": nn.silu,
        "gelu": nn.gelu,
        "gelu_tanh": partial(nn.gelu, approximate="tanh"),
        "elu": nn.elu,
    }
    row_names = {"softmax": torch.softmax, "log_softmax": torch.log_softmax}

    def job(function, x, y):
        x, y = torch.from_numpy(x), torch.from_numpy(y)
        name, _, columns = function.partition("/")
        if columns and name in row_names:
            shape = (-1, int(columns))
            return partial(row_names[name], x.view(shape), 1, out=y.view(shape))
        return partial(names[function], x, out=y) if function in names else None

    return f"PyTorch {torch.__version__} at {torch.backends.cpu.get_cpu_capability()}", job


def serve(title, job):
    """Answers requests; the loop of repetitions is Python's, as it is for those who use the library."""
    x = y = None
    for line in sys.stdin:
        verb, *words = line.split()
        if verb == "about":
            answer = title
        elif verb == "load":
            x, y = buffers(np.fromfile(words[1], dtype=TYPES[words[0]]))
            answer = "ok"
        elif not (call := job(words[1], x, y)):
            answer = "none"
        else:
            call()
            if verb == "write":
                y.tofile(words[2])
                answer = "ok"
            else:
                repetitions = range(int(words[2]))
                begun = time.perf_counter_ns()
                for _ in repetitions:
                    call()
                answer = time.perf_counter_ns() - begun
        print(answer, flush=True)


# ------------------------------------------------------------------------------------------------------ exact values


def exact_functions():
    """Each function and its derivative in 160 bits, where what cancels in their formulas does not matter."""
    from mpmath import mp, mpf

    mp.prec = 160
    exp, log, one = mp.exp, mp.log, mpf(1)
    root_2, root_2_pi, scale = mp.sqrt(2), mp.sqrt(2 * mp.pi), mp.sqrt(2 / mp.pi)

    def sigmoid(x):
        return one / (one + exp(-x))

    def sigmoid_slope(x):
        return sigmoid(x) * sigmoid(-x)

    def normal(x):
        """The normal distribution's integral up to x."""
        return mp.erfc(-x / root_2) / 2

    # GELU's tanh form is x sigmoid(2u), u this.
    def inner(x):
        return scale * (x + mpf("0.044715") * x**3)

    def gelu_tanh_slope(x):
        inner_slope = scale * (1 + 3 * mpf("0.044715") * x**2)
        return sigmoid(2 * inner(x)) + x * sigmoid_slope(2 * inner(x)) * 2 * inner_slope

    return {
        "exp": (exp, exp),
        "expm1": (lambda x: exp(x) - 1, exp),
        "ln": (log, lambda x: 1 / x),
        "ln1p": (lambda x: log(1 + x), lambda x: 1 / (1 + x)),
        "sigmoid": (sigmoid, sigmoid_slope),
        "tanh": (lambda x: 2 * sigmoid(2 * x) - 1, lambda x: 4 * sigmoid_slope(2 * x)),
        "softplus": (lambda x: log(1 + exp(x)), sigmoid),
        "silu": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) + x * sigmoid_slope(x)),
        "gelu": (lambda x: x * normal(x), lambda x: normal(x) + x * exp(-x * x / 2) / root_2_pi),
        "gelu_tanh": (lambda x: x * sigmoid(2 * inner(x)), gelu_tanh_slope),
        "elu": (lambda x: x if x > 0 else exp(x) - 1, lambda x: one if x > 0 else exp(x)),
    }


def exact_rows(name, rows):
    """The softmax of each row, or its logarithm, in 160 bits."""
    from mpmath import mp

    mp.prec = 160
    for row in rows:
        exponentials = [mp.exp(x) for x in row]  # Without a maximum: numbers of mpmath do not overflow.
        total = mp.fsum(exponentials)
        yield from (e / total if name == "softmax" else mp.log(e / total) for e in exponentials)


def split(values):
    """Exact values as the sum of two arrays of doubles: what the first lost is in the second."""
    values = list(values)
    high = np.array([float(value) for value in values])
    return high, np.array([float(value - float(value)) for value in values])


# ---------------------------------------------------------------------------------------------------------- checking

# The largest error that is still an answer, in ulp: MKL promises 4 in LA, the others less. A softmax takes the greatest of its row
# away first, which alone may round by 8 ulp of the result where the two are 16 apart, and a plain sum of 1,000 goes astray by 30.
TOLERANCE = {"softmax": 64.0}
TOLERANCE_ELSE = 4.5
# Where the textbook's formula cancels (1 + erf(x) far down, or a logarithm near zero), an error is counted in ulps of what it took
# away: at most the sample's bound.
CANCELS = {"gelu", "gelu_tanh", "log_softmax"}
SAMPLE_BOUND = 8.0
# Slopes are mostly made from rounded values, as 1 - y^2: so their error is counted in ulps of 1 where they are smaller.
TOLERANCE_SLOPE = 16.0


def ulp(values, dtype):
    """The unit in the last place of each."""
    information = np.finfo(dtype)
    exponents = np.frexp(values)[1] - 1
    return np.ldexp(1.0, np.maximum(exponents, information.minexp) - information.nmant)


def check(found, exact, function):
    """The largest error in ulp, and whether that is tolerable."""
    high, low = exact
    name = function.partition("/")[0]
    error = np.abs((found.astype(float) - high) - low)
    unit = ulp(high, found.dtype)
    forgiving = ulp(np.maximum(np.abs(high), SAMPLE_BOUND), found.dtype) if name in CANCELS else unit
    # A comparison that is false for NaN.
    tolerable = error <= TOLERANCE.get(name, TOLERANCE_ELSE) * forgiving
    return (error / unit).max(), bool(tolerable.all())


def check_slope(found, exact):
    high, low = exact
    error = np.abs((found.astype(float) - high) - low)
    units = error / ulp(np.maximum(np.abs(high), 1.0), found.dtype)
    return units.max(), bool((units <= TOLERANCE_SLOPE).all())


def require_a_check_that_fails(samples):
    """The check must pass the rounded exact values, and refuse one element that is off by 5 ulp, or NaN."""
    exact = samples.exact("exp", "f32", 0)
    right = exact[0].astype(TYPES["f32"])
    planted = [right.copy() for _ in range(2)]
    planted[0][ELEMENTS // 3] += 5 * np.spacing(right[ELEMENTS // 3])
    planted[1][-1] = np.nan
    verdicts = [check(values, exact, "exp")[1] for values in (right, *planted)]
    if verdicts != [True, False, False]:
        raise SystemExit(f"compare: the check of answers does not work: {verdicts}")


# --------------------------------------------------------------------------------------------------------- measuring


class Side:
    """One column: a process and what it is asked for."""

    def __init__(self, title, process, name):
        self.title, self.process, self.name = title, process, name

    def write(self, function, dtype):
        """What it computes, or None if it has no such function."""
        file = TARGET / "compare-output"
        if self.process.ask("write", self.name, function, file) == "none":
            return None
        return np.fromfile(file, dtype=dtype)

    def time(self, function, repetitions):
        return int(self.process.ask("time", self.name, function, repetitions)) / repetitions


def measure(sides, function, elements, rounds):
    """Nanoseconds an element of each side, round by round; each round begins with another side."""
    repetitions = [max(1, int(SLICE / side.time(function, 3))) for side in sides]
    times = [[] for _ in sides]
    for turn in range(rounds):
        for place in range(len(sides)):
            which = (turn + place) % len(sides)
            times[which].append(sides[which].time(function, repetitions[which]) / elements)
    return times


class Samples:
    """The inputs, as files, and their exact values, computed once for all tables."""

    def __init__(self):
        random = np.random.default_rng(SEED)
        self.inputs = {"wide": random.uniform(-SAMPLE_BOUND, SAMPLE_BOUND, ELEMENTS), "positive": random.uniform(1e-3, 1e3, ELEMENTS)}
        self.functions = exact_functions()
        self.exact = functools.cache(self.exact)

    def input(self, function, kind):
        """In whole rows, if the function has rows."""
        columns = int(function.partition("/")[2] or 1)
        x = self.inputs["positive" if function in ("ln", "ln1p") else "wide"].astype(TYPES[kind])
        return x[: ELEMENTS // columns * columns]

    def load(self, function, kind, processes):
        """Hands the function's input to the processes, and gives it."""
        x = self.input(function, kind)
        file = TARGET / "compare-input"
        x.tofile(file)
        for process in processes:
            process.ask("load", kind, file)
        return x

    def exact(self, function, kind, which):
        """Its values, or (`which` = 1) its slopes."""
        from mpmath import mpf

        x = [mpf(float(value)) for value in self.input(function, kind)]
        name, _, columns = function.partition("/")
        if columns:
            rows = [x[at : at + int(columns)] for at in range(0, len(x), int(columns))]
            return split(exact_rows(name, rows))
        return split(map(self.functions[name][which], x))


ROWS = ["softmax/10", "softmax/1000", "log_softmax/10", "log_softmax/1000"]


def compare(level, samples, sides, functions, rounds):
    """Each function and type as a row: the first side's time, and the others' with their ratio to it."""
    ours, *peers = sides
    processes = {side.process for side in sides}
    for function in functions:
        for kind, dtype in TYPES.items():
            x = samples.load(function, kind, processes)
            if ours.write(function, dtype) is None:
                print(f"compare: skipped {function}, no kernel has that name", file=sys.stderr)
                break
            print(f"compare: {function} {kind}", file=sys.stderr)
            cells, taking, errors = {}, [], []
            for side in sides:
                found = side.write(function, dtype)
                if found is None:
                    cells[side] = ""
                    continue
                error, tolerable = check(found, samples.exact(function, kind, 0), function)
                if tolerable:
                    taking.append(side)
                    errors.append(error)
                elif side is ours:
                    raise SystemExit(f"compare: our {function} for {kind} is wrong by {error:.1f} ulp")
                else:
                    cells[side] = f"wrong ({in_ulp(error)})"
            times = measure(taking, function, len(x), rounds)
            for side, found, error in zip(taking, times, errors):
                ratio = statistics.median(theirs / ours for theirs, ours in zip(found, times[0]))
                shown = "" if side is ours else f", {ratio:.2f}x"
                cells[side] = f"{statistics.median(found):.3f}{shown} ({in_ulp(error)})"
                record(level, function, kind, side, found, ratio, error)
            yield [function.replace("/", " of ") + f" {kind}", *(cells[side] for side in sides)]


def compare_slopes(level, samples, value, slope, functions, rounds):
    """Each function and type as a row: the value alone, and with its slope."""
    for function in functions:
        for kind, dtype in TYPES.items():
            x = samples.load(function, kind, [value.process])
            found = slope.write(function, dtype)[len(x) :]
            error, tolerable = check_slope(found, samples.exact(function, kind, 1))
            if not tolerable:
                raise SystemExit(f"compare: our slope of {function} for {kind} is wrong by {error:.1f} ulp of 1")
            times = measure([value, slope], function, len(x), rounds)
            alone, both = map(statistics.median, times)
            ratio = statistics.median(b / a for a, b in zip(*times))
            record(level, function, kind, slope, times[1], ratio, error)
            yield [f"{function} {kind}", f"{alone:.3f}", f"{both:.3f}", f"{ratio:.2f}", f"{error:.2f}"]


# ---------------------------------------------------------------------------------------------------------- printing


def in_ulp(error):
    return f"{error:.2f} ulp" if error < 100 else f"{error:.0e} ulp" if math.isfinite(error) else "not finite"


def record(level, function, kind, side, times, ratio, error):
    """Appends a line to the file of all figures, with the least and greatest beside the median."""
    figures = min(times), statistics.median(times), max(times), ratio, error
    title = side.title.replace(",", "")
    with open(TARGET / "compare-kernels.csv", "a") as file:
        print(function, kind, level, title, *(f"{figure:.5g}" for figure in figures), sep=",", file=file)


def pin():
    """Holds this process, and those it starts, on one core."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"pinned to core {core}"


BEYOND_AVX2 = re.compile("avx512|X86_V4", re.IGNORECASE)


def start(level):
    """The sides that this machine has, held to `level` if that is not empty; the first is ours."""
    held = level == "avx2"
    commands = {name: path for name, path in (("ours", os.environ["PEER"]), ("c", os.environ.get("C_PEERS"))) if path}
    ours = Process([commands["ours"], "serve"], DELTARULE_ISA=level)
    reached = ours.ask("about").rpartition(" ")[2]
    beyond = [name for name in numpy_features() if BEYOND_AVX2.search(name)]
    this = [sys.executable, "-W", "ignore", __file__, "serve"]
    numpy = Process([*this, "numpy"], **({"NPY_DISABLE_CPU_FEATURES": " ".join(beyond)} if held and beyond else {}))
    sides = [Side(f"ours, {reached}", ours, "value"), Side("NumPy", numpy, "numpy")]
    if os.environ.get("TORCH"):
        torch = Process([*this, "torch"], **({"ATEN_CPU_CAPABILITY": level, "MKL_ENABLE_INSTRUCTIONS": "AVX2"} if held else {}))
        sides.append(Side("PyTorch", torch, "torch"))
    if "c" in commands:
        mkl = os.environ.get("MKL")
        variables = {"MKL_THREADING_LAYER": "SEQUENTIAL", **({"MKL_ENABLE_INSTRUCTIONS": "AVX2"} if held else {})}
        peers = Process([commands["c"], *([mkl] if mkl else [])], **variables)
        about = peers.ask("about")
        if not about.startswith("no MKL"):
            sides += [Side("MKL HA", peers, "mkl-ha"), Side("MKL LA", peers, "mkl-la")]
        if not about.endswith("no SLEEF") and reached in ("avx512", "avx2"):
            sides.append(Side("SLEEF 1.0 ulp", peers, f"sleef-{reached}"))
    sides.append(Side("plain loop", ours, "plain"))
    abouts = [process.ask("about") for process in dict.fromkeys(side.process for side in sides)]
    if held and (unheld := [about for about in abouts if BEYOND_AVX2.search(about)]):
        raise SystemExit(f"compare: not held to AVX2: {'; '.join(unheld)}")
    return reached, sides, "; ".join(abouts)


def overheads(samples, sides):
    """What a call of a single element takes, in nanoseconds: a part of the figures of those called from Python."""
    file = TARGET / "compare-input"
    np.array([1.0], dtype="<f4").tofile(file)
    called = [side for side in sides if side.name in ("value", "numpy", "torch")]
    for side in called:
        side.process.ask("load", "f32", file)
    times = {side.title.partition(",")[0]: min(side.time("exp", 2000) for _ in range(10)) for side in called}
    return ", ".join(f"{title} {nanoseconds:.0f}" for title, nanoseconds in times.items())


def main(rounds):
    pinned = pin()
    (TARGET / "compare-kernels.csv").write_text("function,type,level,side,least,median,greatest,ratio,ulp\n")
    samples = Samples()
    functions = list(samples.functions)
    require_a_check_that_fails(samples)
    reached, sides, abouts = start("")
    print(f"""## Kernels

- {datetime.date.today()}, {processor()}, {platform.system()} {platform.release()}, one thread, {pinned}
- {abouts}; Python {platform.python_version()}; {os.environ.get("COMPILERS", "")}
- Nanoseconds an element (median of {rounds} rounds, sides alternating), ratio to ours (median of the rounds' ratios; above 1: ours is
  faster), and the largest error on this sample against the exact value. {ELEMENTS:,} elements in cache, uniform over -8..8 (ln, ln1p:
  over 0.001..1000), from one slice to another, both laid out alike for all.
- NumPy and PyTorch are timed as they are called, with `out=`, in a Python loop: a call of one element takes, in ns,
  {overheads(samples, sides)}; divide by {ELEMENTS:,} for its part of a figure.
- The plain loop is Rust's over the standard library's function (gelu: over the `libm` crate's erf). Softmax is over rows of 10 and
  of 1,000; ours works in place, so that a copy is in its time.

### Every side at its best ({reached})
""")
    head = ["function", *(side.title for side in sides)]
    print(table(head, compare(reached, samples, sides, [*functions, *ROWS], rounds)), flush=True)

    print(f"### Value with slope, beside value alone ({reached})\n")
    slope = Side("ours, value and slope", sides[0].process, "slope")
    head = ["function", "value", "value and slope", "ratio", "slope's error, ulp (of 1, where the slope is smaller)"]
    print(table(head, compare_slopes(reached, samples, sides[0], slope, functions, rounds)), flush=True)

    if reached == "avx512":
        _, sides, abouts = start("avx2")
        print(f"### Every side held to AVX2\n\n{abouts}\n")
        print(table(["function", *(side.title for side in sides)], compare("avx2", samples, sides, [*functions, *ROWS], rounds)), flush=True)


match sys.argv[1:]:
    case ["serve", "numpy"]:
        serve(*numpy_side())
    case ["serve", "torch"]:
        serve(*torch_side())
    case ["compare", rounds]:
        main(int(rounds))
    case _:
        raise SystemExit(__doc__)
