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
from compare_rows import FOLDER, ROWS, TARGET, difference, expected, require_a_check_that_fails, write
from compare_sides import Process, Strangers, cores, processor, quartiles, rounds_of, table

# Nanoseconds of one measurement: some steps of all but the largest networks.
SLICE = 60_000_000
# Idle threads of some libraries look for work for a while, before they sleep: 2^26 cycles OpenBLAS's.
PAUSE_SECONDS = 0.05
# Milliseconds of each look at the limit of the arithmetic.
LIMIT = 10

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


def compare_row(row, sides, rounds, threads):
    """Measures a row with every side that gives the right answer; the record of it."""
    numbers, source = write(row)
    exact = expected(row, *numbers)
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
    limits = []

    def before(turn):
        limits.append(float(sides[0].process.ask("limit", LIMIT)))

    rounds = max(3, rounds // 3) if row.work == "epoch" else rounds
    times = rounds_of(taking, SLICE, rounds, before, PAUSE_SECONDS if threads > 1 else 0)
    for side, found in zip(taking, times):
        ratios = [theirs / ours for theirs, ours in zip(found, times[0])]
        record["sides"][side.name] |= {"ns": quartiles(found), "ratio": quartiles(ratios), "rounds_ns": found}
    if row.kind() == "f32" and threads == 1:
        shares = [row.operations() / ours / limit for ours, limit in zip(times[0], limits)]
        record["limit"] = {"gigaflops": quartiles(limits), "share": quartiles(shares)}
    return record


# ------------------------------------------------------------------------------------------------------------ printing


def duration(nanoseconds):
    """A median in its unit, three digits, and the quartiles in the same unit."""
    low, middle, high = nanoseconds
    unit, size = next(((unit, size) for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)) if middle >= size), ("ns", 1))
    digits = max(0, 3 - len(str(int(middle / size))))
    low, middle, high = (f"{number / size:.{digits}f}" for number in (low, middle, high))
    return f"{middle} {unit}", f"{low} to {high}"


def times_as_long(ratio):
    """A ratio, three digits."""
    return f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.1f}x" if ratio < 100 else f"{ratio:.0f}x"


def cell(name, found):
    if found is None:
        return ""
    if refusal := found.get("refused"):
        return next((word for word in ("wrong", "error") if refusal.startswith(word)), "")
    middle, spread = duration(found["ns"])
    if name == "ours":
        return f"{middle} ({spread})"
    low, ratio, high = map(times_as_long, found["ratio"])
    return f"{middle}, **{ratio}** ({low[:-1]} to {high[:-1]})"


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


def heading(facts, rounds, records):
    limits = [record["limit"]["gigaflops"][1] for record in records.values() if "limit" in record]
    limit = f" The limit is what fused multiply-adds in registers reached on one thread: {statistics.median(limits):.0f} GF/s." if limits else ""
    return f"""## Training steps and predictions

- {facts[0]}
- {facts[1]}
- Medians of {rounds} rounds, sides alternating, and in brackets the quartiles: of our time; of the ratio to ours (above 1: ours is
  faster). Every side computed the same losses, gradient or outputs from the same numbers before it was timed.
- A training step is forward, loss, backward and update.{limit} A share of it counts the operations of the matrix products alone.
  For all sides malloc keeps what is freed.
"""


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
    held = cores(threads)
    # A program that scripts/compare has built, or the peers in Python.
    peers_in_python = [sys.executable, "-W", "ignore", str(pathlib.Path(__file__).with_name("compare-peers.py"))]
    commands = {"ours": [os.environ["PEER"], "serve"]}
    for name in peers:
        program = os.environ.get(f"PEER_{name.upper()}")
        commands[name] = [program, "serve"] if program else [*peers_in_python, name]
    settings = {
        "TORCHINDUCTOR_CACHE_DIR": str(TARGET.absolute() / "compare-inductor"),
        # What candle and burn read; ours has a pool of its own.
        "RAYON_NUM_THREADS": str(threads),
        # Some libraries allocate in each step: glibc would give such memory back to the system, and ask for it again. PyTorch's
        # guide recommends another allocator for that; so much is the same for all, and halves the time of some.
        "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
        "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    }
    sides = [Side(name, Process([*command, str(threads)], held, **settings)) for name, command in commands.items()]
    return sides, f"pinned to core{'s'[: threads > 1]} {', '.join(map(str, sorted(held)))}" if held else "not pinned"


def listed(known):
    def read(text):
        found = [word for word in text.split(",") if word]
        if unknown := [word for word in found if word not in known]:
            raise argparse.ArgumentTypeError(f"expected some of {','.join(map(str, known))}, found {','.join(unknown)}")
        return found

    return read


def counts(text):
    return [int(word) for word in text.split(",")]


def main():
    parser = argparse.ArgumentParser(prog="scripts/compare steps", description="Training steps and predictions beside other libraries'.")
    rows = [row.name for row in ROWS]
    parser.add_argument("--peers", metavar="LIST", type=listed(TITLES), default=list(TITLES), help=",".join(TITLES))
    parser.add_argument("--rows", metavar="LIST", type=listed(rows), default=rows, help=",".join(rows))
    parser.add_argument("--rounds", metavar="N", type=int, default=9, help="of each side, alternating: 9 (an epoch: a third)")
    parser.add_argument("--threads", metavar="LIST", type=counts, default=[1, 2], help="1,2")
    # For scripts/compare: what is wanted, before anything is installed.
    parser.add_argument("--print-peers", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.print_peers:
        print(*arguments.peers)
        return

    peers = [name for name in arguments.peers if name in os.environ["PEERS"].split()]
    records, abouts, places = {}, [], []
    strangers = Strangers()

    def write_down():
        facts = [
            f"{datetime.date.today()}, {processor()}, {platform.system()} {platform.release()}; {'; '.join([*places, strangers.share()])}",
            f"{'; '.join(abouts)}; Python {platform.python_version()}; {os.environ.get('COMPILERS', '')}",
        ]
        text = markdown(heading(facts, arguments.rounds, records), records, peers)
        (TARGET / "compare-steps.md").write_text(text)
        document = {"facts": facts, "rounds": arguments.rounds, "records": [{"row": name, **record} for (name, _), record in records.items()]}
        (TARGET / "compare-steps.json").write_text(json.dumps(document, indent=1) + "\n")
        return text

    for threads in arguments.threads:
        sides, place = start(peers, threads)
        abouts = [side.about for side in sides]
        places.append(f"{threads} thread{'s'[: threads > 1]} {place}")
        for row in ROWS:
            if row.name in arguments.rows:
                records[row.name, threads] = compare_row(row, sides, arguments.rounds, threads)
                write_down()  # It may be ended before the last row.
        for side in sides:
            side.process.end()
    print(write_down())


main()
