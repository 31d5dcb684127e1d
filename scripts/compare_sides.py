"""What the comparisons share: the processes that answer requests, and the facts of the machine."""

import ctypes
import glob
import os
import platform
import subprocess
import sys

import numpy as np


class Process:
    """One that answers requests, a line each."""

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
