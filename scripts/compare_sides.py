"""What the comparisons share: the processes that answer requests, and the facts of the machine."""

import ctypes
import glob
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import time

import numpy as np


class Process:
    """One that answers requests, a line each."""

    running = []

    def __init__(self, command, cores=None, **variables):
        self.command = command
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
            preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores and hasattr(os, "sched_setaffinity") else None,
        )

        Process.running.append(self)

    def seconds(self):
        """What it has had of a processor, with those that it has started and seen end."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def ask(self, *words):
        """The answer, or an end of everything where the request could not be met."""
        answer = self.try_asking(*words)
        if not answer or answer.startswith("error"):
            request = " ".join(map(str, words))[:200]
            raise SystemExit(f"compare: {' '.join(self.command)} answered '{answer}' to '{request}'")
        return answer

    def try_asking(self, *words):
        """The answer, whatever it is; nothing, if the process has ended."""
        try:
            print(*words, file=self.process.stdin, flush=True)
            return self.process.stdout.readline().strip()
        except BrokenPipeError:
            return ""

    def end(self):
        """Lets it end by itself."""
        self.process.stdin.close()
        self.process.wait()
        Process.running.remove(self)


def serve(verbs):
    """Answers requests from stdin, a line each, by the function of its verb; what that does not return is ok."""
    # What libraries print goes elsewhere than the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    *first, last = verbs
    for line in sys.stdin:
        verb, _, rest = line.strip().partition(" ")
        try:
            if verb in verbs:
                answer = verbs[verb](rest)
                answer = "ok" if answer is None else answer
            else:
                answer = f"error: expected {', '.join(first)} or {last}, found '{verb}'"
        except Exception as error:
            answer = " ".join(f"error: {type(error).__name__}: {error}".split())
        print(answer, file=answers, flush=True)


def repetitions(side, span):
    """How many of what the side does fill a span of nanoseconds."""
    count = 1
    while (once := side.time(count)) * count < span / 10 and count < 1 << 24:
        count *= 10
    return max(1, round(span / once))


def rounds_of(sides, span, rounds, before=lambda turn: None, pause_seconds=0):
    """Nanoseconds of each side round by round; each round begins with another side."""
    counts = [repetitions(side, span) for side in sides]
    times = [[] for _ in sides]
    for turn in range(rounds):
        before(turn)
        for place in range(len(sides)):
            which = (turn + place) % len(sides)
            time.sleep(pause_seconds)
            times[which].append(sides[which].time(counts[which]))
    return times


def quartiles(values):
    """The first quartile, the median and the third."""
    return values * 3 if len(values) == 1 else statistics.quantiles(values, n=4, method="inclusive")


def cores(count):
    """So many cores to be held to, the last first; None where that cannot be."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    found = sorted(os.sched_getaffinity(0), reverse=True)[:count]
    if len(found) < count:
        print(f"compare: {count} threads on {len(found)} cores", file=sys.stderr)
    return found


class Strangers:
    """What share of the machine other processes take, while this one measures."""

    def __init__(self):
        self.begun = self.used()

    def used(self):
        """Seconds of all cores: in all, at work, and at work for us."""
        try:
            fields = [int(word) for word in open("/proc/stat").readline().split()[1:9]]
        except (OSError, ValueError):
            return None
        ticks = os.sysconf("SC_CLK_TCK")
        own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        own += sum(process.seconds() for process in Process.running)
        idle = fields[3] + fields[4]
        return sum(fields) / ticks, (sum(fields) - idle) / ticks, own

    def share(self):
        """In words."""
        now = self.used()
        if now is None:
            return "what else ran is not known"
        total, busy, own = (b - a for a, b in zip(self.begun, now))
        return f"other processes took {max(0, busy - own) / total:.0%} of the machine meanwhile"


def import_torch():
    """PyTorch. A wheel for GPUs links their libraries; bound lazily, empty ones in their place do (scripts/compare makes them)."""
    sys.setdlopenflags(os.RTLD_LAZY)
    for stub in glob.glob(f"{sys.prefix}/stubs/*"):
        ctypes.CDLL(stub, mode=os.RTLD_LAZY)
    import torch

    return torch


def numpy_features():
    """The sets of instructions that NumPy would use, the last the furthest."""
    umath = np._core._multiarray_umath
    return umath.__cpu_baseline__ + [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]


def processor():
    """Its name, with family and model, for virtual machines hide the former."""
    try:
        lines = (line.partition(":") for line in open("/proc/cpuinfo"))
        facts = {key.strip(): value.strip() for key, _, value in lines}
        return f"{facts['model name']} (family {facts['cpu family']}, model {facts['model']})"
    except (OSError, KeyError):
        return platform.processor() or platform.machine()


def table(head, rows):
    """Markdown whose columns line up."""
    rows = [head, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    rows.insert(1, ["-" * width for width in widths])
    return "".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |\n" for row in rows)
