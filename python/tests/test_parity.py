"""The same numbers, seed, type and settings give the same bits here and from the command, which is the Rust library's."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

import deltarule
from deltarule import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def command():
    """The command: named by DELTARULE_COMMAND, built in this workspace, or installed."""
    places = [os.environ.get("DELTARULE_COMMAND"), ROOT / "target/release/deltarule", ROOT / "target/debug/deltarule", shutil.which("deltarule")]
    found = next((str(place) for place in places if place and Path(place).is_file()), None)
    return found or pytest.skip("there is no deltarule command")


def trained(command, folder, X, y, weights, *flags):
    """What the command comes to on these rows, as they are; the model's path, too."""
    columns = [*X.T, y] + ([] if weights is None else [weights])
    names = [f"x{i}" for i in range(X.shape[1])] + ["y"] + ([] if weights is None else ["w"])
    lines = [",".join(names)] + [",".join(repr(value.item()) for value in row) for row in zip(*columns)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    weighing = [] if weights is None else ["--weight-column", "w"]
    run = subprocess.run(
        [command, "train", folder / "rows.csv", "--target", "y", "--standardise", "no", "--test", "0", "--json", "--force",
         "--model", folder / "model.safetensors", *weighing, *flags],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)["parameters_sha256"]


MINI = ["--hidden", "9,5", "--activation", "tanh", "--rate", "0.001", "--epochs", "8", "--seed", "3", "--schedule", "constant"]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", "nadam"])
@pytest.mark.parametrize("weighted", [False, True])
def test_classes(command, tmp_path, dtype, solver, weighted):
    X, y = load_iris(return_X_y=True)
    weights = 0.25 * (1 + np.arange(150) % 4) if weighted else None
    batch, rows = 32, 150
    stepping = solver != "lbfgs"
    mean = 1.0 if weights is None else float(weights.mean())
    alpha = 0.01
    l2 = repr(alpha / ((batch if stepping else rows) * mean))
    flags = ["--task", "classify", "--solver", solver, "--dtype", dtype, "--l2", l2]
    flags += [*MINI, "--batch", str(batch)] if stepping else ["--hidden", "9,5", "--activation", "tanh", "--epochs", "8", "--seed", "3"]
    theirs = trained(command, tmp_path, X, y, weights, *flags)
    # sgd's momentum is 0.9 here, as scikit-learn's; the solver's own elsewhere.
    model = MLPClassifier(
        (9, 5), "tanh", solver=solver, alpha=alpha, batch_size=batch, random_state=3, max_iter=8, tol=1e-5 if solver == "lbfgs" else 1e-4
    )
    model.fit(X.astype({"f32": np.float32, "f64": np.float64}[dtype]), y, weights)
    assert model.parameters_sha256_ == theirs
    # And what the command saved is the same network.
    loaded = deltarule.load(tmp_path / "model.safetensors")
    assert loaded.parameters_sha256 == theirs


def test_numbers_and_early_stopping(command, tmp_path):
    X, y = load_diabetes(return_X_y=True)
    flags = ["--task", "regress", "--solver", "adam", "--dtype", "f64", "--l2", "0", "--batch", "50", *MINI]
    theirs = trained(command, tmp_path, X, y, None, *flags)
    settings = {"hidden_layer_sizes": (9, 5), "activation": "tanh", "alpha": 0, "batch_size": 50, "random_state": 3, "max_iter": 8}
    assert MLPRegressor(**settings).fit(X, y).parameters_sha256_ == theirs
    held = trained(command, tmp_path, X, y, None, *flags, "--early-stopping", "0.2", "--monitor", "r2")
    model = MLPRegressor(**settings, early_stopping=True, validation_fraction=0.2).fit(X, y)
    assert model.parameters_sha256_ == held != theirs


def test_a_model_saved_here_is_read_by_the_command(command, tmp_path):
    X, y = load_iris(return_X_y=True)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    frame.to_csv(tmp_path / "rows.csv", index=False)
    model = MLPClassifier((9,), random_state=3, max_iter=50).fit(frame, np.array(["setosa", "versicolor", "virginica"])[y])
    model.save(tmp_path / "model.safetensors")
    run = subprocess.run(
        [command, "predict", tmp_path / "model.safetensors", tmp_path / "rows.csv", "--proba"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    lines = [line.split(",") for line in run.stdout.splitlines()[1:]]
    assert [line[0] for line in lines] == model.predict(frame).tolist()
    assert np.abs(np.array([line[1:] for line in lines], float) - model.predict_proba(frame)).max() < 1e-12
