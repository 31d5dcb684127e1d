"""Two threads beside one: a training step over a grid of widths and batches; run by scripts/compare.

    compare-scale.py [--rounds N]

Both are processes of this library (benches/peer_steps.rs), which alternate; their losses must have the same bits. Prints the
worst ratios and those of two large networks, writes all to target/compare-scale.csv, and exits with 1 where two threads take more
than 1 / 0.9 of the time of one.
"""

import argparse
import datetime
import json
import os
import platform
import sys

import numpy as np
from compare_rows import FOLDER, ROWS, TARGET, Row, write
from compare_sides import Process, Strangers, cores, processor, quartiles, rounds_of, table

# Each boundary of a vector of 16, and of what a GEMM packs, with its neighbours.
WIDTHS = [15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513]
# One row, a few, and the sizes around those at which a batch is shared between threads.
BATCHES = [1, 16, 63, 128, 257, 512, 1024, 4096]
# Nanoseconds of one measurement.
SLICE = 20_000_000
# The least that two threads may have of the speed of one; what is below it is measured again, so many times as often.
LEAST = 0.9
AGAIN = 3
# What two threads should have on two cores.
LARGE = {"T6": 1.7, "T7": 1.7}
SHOWN = 10


class Side:
    """So many threads, on as many cores."""

    def __init__(self, threads):
        self.process = Process([os.environ["PEER"], "serve", str(threads)], cores(threads))

    def losses(self, row):
        """The losses of the first steps, as bytes."""
        self.process.ask("load", json.dumps(row.job))
        self.process.ask("answer", FOLDER / "answer")
        return (FOLDER / "answer").read_bytes()

    def time(self, repetitions):
        return int(self.process.ask("time", repetitions)) / repetitions


def measure(row, sides, rounds):
    """Nanoseconds of one thread and of two, round by round."""
    write(row)
    one, two = (side.losses(row) for side in sides)
    if one != two or not np.isfinite(np.frombuffer(one)).all():
        raise SystemExit(f"compare: {row.title()}: the losses differ between one thread and two")
    return rounds_of(sides, SLICE, rounds)


def ratios(times):
    """How many times as fast two threads are, in quartiles."""
    return quartiles([one / two for one, two in zip(*times)])


def main():
    parser = argparse.ArgumentParser(prog="scripts/compare scale", description="A training step on two threads beside one.")
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    strangers = Strangers()
    sides = [Side(threads) for threads in (1, 2)]
    held = cores(2)
    place = f"one thread on core {held[0]}, two on cores {', '.join(map(str, held))}" if held else "not pinned"
    about = sides[0].process.ask("about")
    like = next(row.job for row in ROWS if row.name == "T6")

    def step(width, batch):
        return Row(f"{width}/{batch}", like | {"widths": [width, width, width, 10], "rows": batch, "batch": batch})

    grid = [step(width, batch) for width in WIDTHS for batch in BATCHES]
    found = {}
    for number, row in enumerate(grid):
        if number % len(BATCHES) == 0:
            print(f"compare: width {row.widths[0]}", file=sys.stderr)
        found[row] = measure(row, sides, rounds)
    # Something else may have run: all rounds count.
    for row in [row for row in grid if ratios(found[row])[1] < LEAST]:
        print(f"compare: {row.title()} again", file=sys.stderr)
        for times, more in zip(found[row], measure(row, sides, AGAIN * rounds)):
            times += more
    large = [row for row in ROWS if row.name in LARGE]
    for row in large:
        print(f"compare: {row.name}", file=sys.stderr)
        found[row] = measure(row, sides, rounds)
    for side in sides:
        side.process.end()

    with open(TARGET / "compare-scale.csv", "w") as file:
        print("widths,batch,one_thread_us,two_threads_us,ratio,first_quartile,third_quartile", file=file)
        for row, times in found.items():
            one, two = (quartiles(side)[1] / 1e3 for side in times)
            low, ratio, high = ratios(times)
            figures = ",".join(f"{figure:.5g}" for figure in (one, two, ratio, low, high))
            print("-".join(map(str, row.widths)), row.batch, figures, sep=",", file=file)

    def cells(row):
        one, two = (f"{quartiles(side)[1] / 1e3:.4g}" for side in found[row])
        low, ratio, high = (f"{ratio:.2f}" for ratio in ratios(found[row]))
        return [row.title(), one, two, f"**{ratio}** ({low} to {high})"]

    head = ["step", "one thread, us", "two threads, us", "times as fast"]
    worst = sorted(grid, key=lambda row: ratios(found[row])[1])
    slow = [row for row in grid if ratios(found[row])[1] < LEAST]
    print(f"""## Two threads beside one

- {datetime.date.today()}, {processor()}, {platform.system()} {platform.release()}; {place}; {strangers.share()}
- {about}; {os.environ.get("COMPILERS", "")}
- Medians of {rounds} rounds and more, alternating, quartiles in brackets; the same bits of the losses.

### The {SHOWN} worst of {len(grid)} shapes, of which {len(slow)} are below {LEAST}

{table(head, map(cells, worst[:SHOWN]))}
### Large networks

{table([*head, "goal"], [[*cells(row), f"{LARGE[row.name]}: {'met' if ratios(found[row])[1] >= LARGE[row.name] else '**not met**'}"] for row in large])}""")
    sys.exit(bool(slow))


main()
