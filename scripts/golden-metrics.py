#!/usr/bin/env python3
"""Makes tests/golden/metrics.json: what scikit-learn says of fixed predictions.

    pip install scikit-learn            (the file at hand was made with 1.9.1)
    scripts/golden-metrics.py           writes the file
    scripts/golden-metrics.py --check   compares it with what the installed scikit-learn says now; exits 1 if they differ
"""

import json
import math
import sys
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn import metrics
from sklearn.dummy import DummyClassifier, DummyRegressor

FILE = Path(__file__).resolve().parent.parent / "tests" / "golden" / "metrics.json"
# Far above the rounding of the sums, far below a different definition.
TOLERANCE = 1e-12


def train_weights(rows, weighted):
    """Weights of the rows that a baseline is fitted on, from a stream of their own."""
    return np.random.Generator(np.random.PCG64(rows)).uniform(0, 2, rows) if weighted else None


def classification(rng, rows, classes, dtype, weighted, extreme):
    """One case: random labels, probabilities that lean towards them, some of them 0 and 1."""
    truth = rng.integers(0, classes, rows)
    scores = rng.normal(size=(rows, classes)) + 1.5 * np.eye(classes)[truth]
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    if extreme:
        probabilities[:3] = np.eye(classes)[(truth[:3] + [0, 1, 0]) % classes]
    probabilities = probabilities.astype(dtype)
    weights = rng.uniform(0, 2, rows) if weighted else None
    predicted = probabilities.argmax(axis=1)
    labels = np.arange(classes)
    # In f64 even where the probabilities are f32: the clipping is the type's, the sums are not.
    eps = np.finfo(dtype).eps
    clipped = np.clip(probabilities.astype(np.float64), eps, 1 - float(eps))
    train = rng.integers(0, classes, 3 * rows)
    train[0] = classes - 1
    counted = train_weights(train.size, weighted)
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((train.size, 1)), train, counted)
    prior = np.zeros((rows, classes))
    prior[:, dummy.classes_] = dummy.predict_proba(np.zeros((rows, 1)))
    return {
        "dtype": np.dtype(dtype).name,
        "classes": classes,
        "truth": truth.tolist(),
        "probabilities": probabilities.astype(np.float64).tolist(),
        "weights": None if weights is None else weights.tolist(),
        "train": train.tolist(),
        "train_weights": None if counted is None else counted.tolist(),
        "accuracy": metrics.accuracy_score(truth, predicted, sample_weight=weights),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted, sample_weight=weights),
        "log_loss": metrics.log_loss(truth, clipped, labels=labels, sample_weight=weights),
        "confusion": metrics.confusion_matrix(truth, predicted, labels=labels, sample_weight=weights).astype(float).tolist(),
        "baseline": {
            "accuracy": metrics.accuracy_score(truth, dummy.predict(np.zeros((rows, 1))), sample_weight=weights),
            "balanced_accuracy": metrics.balanced_accuracy_score(
                truth, dummy.predict(np.zeros((rows, 1))), sample_weight=weights
            ),
            "log_loss": metrics.log_loss(truth, prior, labels=labels, sample_weight=weights),
        },
    }


def regression(rng, rows, outputs, weighted):
    """One case: targets of different scales, predictions off by noise."""
    truth = rng.normal(size=(rows, outputs)) * 10.0 ** np.arange(outputs) + 3
    predicted = truth + rng.normal(size=truth.shape)
    train = rng.normal(size=(2 * rows, outputs)) + 3
    weights = rng.uniform(0, 2, rows) if weighted else None
    counted = train_weights(2 * rows, weighted)
    dummy = DummyRegressor(strategy="mean").fit(np.zeros((2 * rows, 1)), train, counted)
    mean = dummy.predict(np.zeros((rows, 1))).reshape(rows, outputs)

    def figures(p):
        return {
            "r2": metrics.r2_score(truth, p, sample_weight=weights),
            "rmse": metrics.root_mean_squared_error(truth, p, sample_weight=weights),
            "mae": metrics.mean_absolute_error(truth, p, sample_weight=weights),
        }

    return {
        "truth": truth.tolist(),
        "predicted": predicted.tolist(),
        "weights": None if weights is None else weights.tolist(),
        "train": train.tolist(),
        "train_weights": None if counted is None else counted.tolist(),
        **figures(predicted),
        "baseline": figures(mean),
    }


def multilabel(rng, rows, labels, weighted, never=False):
    """One case: bits, some flipped, and probabilities that say the same; if `never`, the last label of no row."""
    truth = rng.integers(0, 2, (rows, labels))
    predicted = truth ^ (rng.uniform(size=truth.shape) < 0.1)
    weights = rng.uniform(0, 2, rows) if weighted else None
    if never:
        truth[:, -1] = predicted[:, -1] = 0
    own = np.random.Generator(np.random.PCG64(rows * labels))
    probabilities = np.where(predicted > 0, own.uniform(0.5, 1, truth.shape), own.uniform(0, 0.5, truth.shape))
    train = own.integers(0, 2, (3 * rows, labels))
    train[: 2 * rows, 0] = 1
    counted = train_weights(3 * rows, weighted)
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((3 * rows, 1)), train, counted)
    shares = np.array([p[0, 1] for p in dummy.predict_proba(np.zeros((1, 1)))])

    def single(truth, p):
        both = np.stack([1 - p, p], axis=1)
        said = (p > 0.5).astype(int)
        return {
            "accuracy": metrics.accuracy_score(truth, said, sample_weight=weights),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, said, sample_weight=weights),
            "log_loss": metrics.log_loss(truth, both, labels=[0, 1], sample_weight=weights),
        }

    def figures(predicted, p):
        return {
            "accuracy": metrics.accuracy_score(truth, predicted, sample_weight=weights),
            "hamming_loss": metrics.hamming_loss(truth, predicted, sample_weight=weights),
            "f1_macro": metrics.f1_score(truth, predicted, average="macro", sample_weight=weights),
            "f1_micro": metrics.f1_score(truth, predicted, average="micro", sample_weight=weights),
            # Of several labels scikit-learn's log_loss would take one to be the true class, so each is asked for by itself.
            "log_loss": float(np.mean([single(truth[:, j], p[:, j])["log_loss"] for j in range(labels)])),
        }

    return {
        "truth": (truth > 0).tolist(),
        "predicted": (predicted > 0).tolist(),
        "probabilities": probabilities.tolist(),
        "weights": None if weights is None else weights.tolist(),
        **figures(predicted, probabilities),
        "labels": [single(truth[:, j], probabilities[:, j]) for j in range(labels)],
        "shares": shares.tolist(),
        "baseline": figures(dummy.predict(np.zeros((rows, 1))), np.tile(shares, (rows, 1))),
    }


def golden():
    """Everything, from fixed seeds."""
    rng = np.random.Generator(np.random.PCG64(7))
    classifications = [
        classification(rng, 12, 2, np.float64, False, False),
        classification(rng, 20, 3, np.float64, True, True),
        classification(rng, 20, 4, np.float32, False, True),
        classification(rng, 7, 9, np.float64, False, False),
    ]
    regressions = [regression(rng, 12, 1, False), regression(rng, 15, 3, True), regression(rng, 2, 1, False)]
    multilabels = [multilabel(rng, 20, 4, False), multilabel(rng, 20, 3, True), multilabel(rng, 15, 2, True, never=True)]
    return {
        "program": "scripts/golden-metrics.py",
        "scikit-learn": sklearn.__version__,
        "classification": classifications,
        "regression": regressions,
        "multilabel": multilabels,
    }


def differences(old, new, path=""):
    """Where two such documents differ by more than the tolerance."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for key in old:
            if key != "scikit-learn":
                yield from differences(old[key], new[key], f"{path}/{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (x, y) in enumerate(zip(old, new)):
            yield from differences(x, y, f"{path}/{index}")
    elif isinstance(old, float) and isinstance(new, float):
        if not math.isclose(old, new, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield f"{path}: {old} is now {new}"
    elif old != new:
        yield f"{path}: {old} is now {new}"


def main():
    warnings.simplefilter("ignore")
    # Through text, so that types are JSON's on both sides.
    text = json.dumps(golden(), indent=None, separators=(",", ":"))
    if sys.argv[1:] == ["--check"]:
        found = list(differences(json.loads(FILE.read_text()), json.loads(text)))
        print("\n".join(found) or f"as scikit-learn {sklearn.__version__} says")
        return 1 if found else 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
