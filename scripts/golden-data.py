#!/usr/bin/env python3
"""Makes tests/golden/data.json: arrays as NumPy writes them, and splits as scikit-learn makes them.

    pip install numpy scikit-learn      (the file at hand was made with 2.4.6 and 1.9.1)
    scripts/golden-data.py              writes the file
    scripts/golden-data.py --check      compares it with what the installed packages say now; exits 1 if they differ
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupKFold, TimeSeriesSplit, train_test_split

FILE = Path(__file__).resolve().parent.parent / "tests" / "golden" / "data.json"


def arrays():
    """Every type in both byte orders, every version, both orders of elements, one to three dimensions."""
    numbers = np.arange(24) * 7 % 23 - 5
    for kind in ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "b1"]:
        for order in "<>":
            values = (numbers % 2 if kind == "b1" else np.abs(numbers) if kind[0] == "u" else numbers).astype(kind)
            if kind[0] == "f":
                values = values / values.dtype.type(3)
            yield order + kind, (1, 0), values.astype(order + kind).reshape(6, 4)
    extremes = np.array([[2**63 - 1, -(2**63)], [2**53 + 1, 0]], dtype="<i8")
    yield "extreme integers", (1, 0), extremes
    yield "subnormal, infinite, NaN", (1, 0), np.array([[5e-324, -np.inf, np.nan], [1e308, -0.0, 1.0]])
    for version in [(1, 0), (2, 0), (3, 0)]:
        yield f"version {version[0]}", version, (numbers / 4).astype("<f4").reshape(8, 3)
    yield "one dimension", (1, 0), numbers.astype("<f8")
    yield "Fortran order", (1, 0), np.asfortranarray(numbers.astype("<i4").reshape(6, 4))
    yield "Fortran order, three dimensions", (1, 0), np.asfortranarray(numbers.astype(">u2").reshape(4, 3, 2))
    yield "three dimensions", (1, 0), numbers.astype("<i2").reshape(2, 3, 4)


def as_json():
    files = []
    for name, version, array in arrays():
        file = io.BytesIO()
        np.lib.format.write_array(file, array, version=version, allow_pickle=False)
        rows = array.reshape(array.shape[0], -1).astype("f8")
        # As text, for JSON has no infinity and no NaN.
        files.append({
            "name": name,
            "hex": file.getvalue().hex(),
            "dims": list(array.shape),
            "float": array.dtype.kind == "f",
            "rows": [[repr(float(value)) for value in row] for row in rows],
        })
    ordered = []
    for rows, folds in [(6, 5), (12, 3), (13, 4), (100, 7)]:
        splits = TimeSeriesSplit(n_splits=folds).split(np.zeros(rows))
        ordered.append({"rows": rows, "folds": folds, "splits": [[a.tolist(), b.tolist()] for a, b in splits]})
    held = []
    for rows, share in [(2, 0.5), (10, 0.25), (10, 0.2), (7, 0.8), (33, 0.1)]:
        train, test = train_test_split(np.arange(rows), test_size=share, shuffle=False)
        held.append({"rows": rows, "share": share, "train": train.tolist(), "test": test.tolist()})
    grouped = []
    generator = np.random.default_rng(3)
    for sizes, folds in [([5, 1, 3, 2], 2), ([9, 4, 7, 1, 3, 12], 3), ([2, 2, 2, 2], 4), ([4, 1, 1, 3, 3, 8, 2], 3)]:
        groups = generator.permutation(np.repeat(np.arange(len(sizes)), sizes))
        splits = GroupKFold(n_splits=folds).split(groups, groups=groups)
        grouped.append({
            "groups": groups.tolist(), "folds": folds,
            "splits": [[a.tolist(), b.tolist()] for a, b in splits],
        })
    return {"files": files, "ordered": ordered, "held": held, "grouped": grouped}


def main():
    found = json.dumps(as_json(), separators=(",", ":")) + "\n"
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text() != found:
            sys.exit(f"{FILE.name} differs from what NumPy and scikit-learn say now")
        return
    FILE.write_text(found)


if __name__ == "__main__":
    main()
