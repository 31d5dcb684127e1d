"""Models of the command in Python: the same predictions from files, frames and arrays; errors that name the place."""

import copy
import csv
import json
import os
import pathlib
import pickle
import subprocess

import numpy as np
import pytest

import deltarule
from deltarule import Model

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ROOT = pathlib.Path(__file__).parents[2]
CAR, VERTEBRAL = ROOT / "data/car.csv", ROOT / "data/vertebral.csv"


def command():
    """The command, which makes the models: DELTARULE_COMMAND, or where cargo builds it."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    for path in (os.environ.get("DELTARULE_COMMAND"), target / "release/deltarule", target / "debug/deltarule"):
        if path and pathlib.Path(path).exists():
            return str(path)
    return pytest.skip("the command is not built (cargo build --release -p deltarule-cli)")


def run(*arguments):
    done = subprocess.run([command(), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def columns_of(path):
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


def trained(folder, name, data, *options):
    path = folder / f"{name}.safetensors"
    if not path.exists():
        run("train", data, "--model", path, "--epochs", 3, "--hidden", "5", *options)
    return path


@pytest.fixture
def car(folder):
    return trained(folder, "car", CAR, "--target", "class")


@pytest.fixture
def vertebral(folder):
    return trained(folder, "vertebral", VERTEBRAL, "--target", "class")


@pytest.fixture
def numbers(folder):
    """Two numbers to predict, from numbers and a category, some of them missing."""
    random = np.random.default_rng(0)
    data = folder / "numbers.csv"
    if not data.exists():
        rows = ["a,kind,b,sum,difference"]
        for i, (a, b) in enumerate(random.normal(size=(60, 2)).round(3)):
            kind = int(random.integers(1, 4))
            rows.append(f"{a if i % 9 else ''},{kind if i % 11 else ''},{b},{a + b + kind:.3f},{a - b:.3f}")
        data.write_text("\n".join(rows) + "\n")
    options = ("--target", "sum,difference", "--missing", "mean", "--categorical", "kind", "--dtype", "f64")
    return trained(folder, "numbers", data, *options), data


@pytest.fixture
def headless(folder):
    data = folder / "headless.csv"
    if not data.exists():
        random = np.random.default_rng(1)
        rows = [f"{a},{'yes' if a + b > 0 else 'no'},{b}" for a, b in random.normal(size=(40, 2)).round(2)]
        data.write_text("\n".join(rows) + "\n")
    return trained(folder, "headless", data, "--target", "2"), data


def said_by_the_command(folder, model, data, *columns):
    out = folder / "predictions.csv"
    run("predict", model, data, "--out", out, "--force")
    return columns_of(out)


def test_what_a_model_is(car):
    model = Model.load(car)
    assert model.task == "classification" and model.target_names == ["class"]
    assert model.classes_.tolist() == ["acc", "good", "unacc", "vgood"]
    names = ["buying", "maint", "doors", "persons", "lug_boot", "safety"]
    assert [column.name for column in model.columns] == names
    safety = model.columns[-1]
    assert safety.kind == "category" and sorted(safety.categories) == ["high", "low", "med"] and safety.position == 5
    assert not safety.fills_missing
    described = json.loads(run("inspect", car, "--json"))
    assert model.describe() == described
    assert model.parameters_sha256 == described["parameters_sha256"]
    assert "classification" in repr(model) and "class" in repr(model)


def test_the_command_s_predictions(car, folder):
    model = Model.load(car)
    expected = said_by_the_command(folder, car, CAR)
    (name,) = [name for name in expected if name in ("class", "prediction", "predicted class", "predicted")][:1] or [list(expected)[0]]
    assert model.predict(CAR).tolist() == expected[name]
    assert model.predict(str(CAR)).tolist() == expected[name]
    proba = model.predict_proba(CAR)
    assert proba.shape == (1728, 4) and proba.dtype == np.float64
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-6)
    assert (model.classes_[proba.argmax(1)] == model.predict(CAR)).all()


def test_frames_arrays_and_files_say_the_same(car, vertebral, numbers):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    for path, data in ((car, CAR), (vertebral, VERTEBRAL), numbers):
        model = Model.load(path)
        expected = model._stored.predict(model._source(str(data)))
        same = lambda rows: np.testing.assert_array_equal(model._stored.predict(model._source(rows)), expected)  # noqa: E731
        frame = pandas.read_csv(data)
        same(frame)
        same(frame[frame.columns[::-1]])
        same(frame.convert_dtypes())
        same(frame.astype({name: "category" for name in frame.select_dtypes(exclude="number")}))
        same(polars.read_csv(data))
        same({name: frame[name].to_numpy() for name in frame})
        same(columns_of(data))
        inputs = frame[[column.name for column in model.columns]]
        same(inputs)
        same(inputs.to_numpy())
        same(inputs.to_numpy(dtype=object))
        # Numbers that lie across words, as in packed records.
        packed = np.zeros(len(frame), [("pad", "i1"), *((name, "f8") for name in frame.select_dtypes("number"))])
        for name in packed.dtype.names[1:]:
            packed[name] = frame[name]
        same({name: packed[name] if name in packed.dtype.names else frame[name] for name in frame})
        same(frame.to_numpy())
        same(inputs.iloc[::-1].iloc[::-1])


def test_numbers_in_their_own_units(numbers):
    path, data = numbers
    model = Model.load(path)
    assert model.task == "regression" and model.target_names == ["sum", "difference"]
    assert [(c.kind, c.fills_missing) for c in model.columns] == [("number", True), ("category", True), ("number", True)]
    values = model.predict({"a": [0.5, None], "b": [1, 2], "kind": [1.0, np.nan]})
    assert values.shape == (2, 2) and np.isfinite(values).all()
    # A number for a category is the text that reads as it.
    np.testing.assert_array_equal(values[:1], model.predict({"a": [0.5], "b": [1], "kind": ["1"]}))
    with pytest.raises(AttributeError, match="predict_proba: the model predicts numbers"):
        model.predict_proba(data)
    with pytest.raises(AttributeError, match="classes_"):
        model.classes_


def test_columns_by_place(headless):
    path, data = headless
    model = Model.load(path)
    expected = model.predict(data)
    table = columns_of(data)  # its first row became the names: by hand instead
    rows = [line.split(",") for line in data.read_text().split()]
    assert len(table) == 3 and set(expected) == {"no", "yes"}
    x = np.array([[row[0], row[2]] for row in rows], dtype=float)
    np.testing.assert_array_equal(model.predict(x), expected)
    np.testing.assert_array_equal(model.predict(np.array(rows, dtype=object)), expected)
    np.testing.assert_array_equal(model.predict(np.array(rows)), expected)
    y = [row[1] for row in rows]
    assert model.evaluate(x, y)["metrics"] == model.evaluate(data)["metrics"]
    with pytest.raises(ValueError, match="data: expected 2 or 3 columns, found 4"):
        model.predict(np.zeros((1, 4)))


def test_figures(car, vertebral, numbers):
    pandas = pytest.importorskip("pandas")
    for path, data in ((car, CAR), (vertebral, VERTEBRAL), numbers):
        model = Model.load(path)
        expected = json.loads(run("evaluate", path, data, "--json").strip().splitlines()[-1])
        found = model.evaluate(data)
        confusion = found.pop("confusion_matrix", None)
        assert found == expected
        frame = pandas.read_csv(data)
        again = model.evaluate(frame)
        again.pop("confusion_matrix", None)
        assert again == expected
        inputs = [column.name for column in model.columns]
        apart = model.evaluate(frame[inputs], frame[model.target_names])
        assert apart["metrics"] == expected["metrics"]
        assert model.evaluate(frame[inputs].to_numpy(), frame[model.target_names].to_numpy())["metrics"] == expected["metrics"]
        if confusion is not None:
            assert confusion.sum() == found["rows"]
            right = (model.predict(frame) == frame[model.target_names[0]].to_numpy()).mean()
            assert right == pytest.approx(found["metrics"]["accuracy"]) == np.trace(confusion) / confusion.sum()
    weighted = frame.assign(weight=np.arange(len(frame)))
    assert model.evaluate(weighted, weight_column="weight")["metrics"] != expected["metrics"]


def test_images(folder):
    random = np.random.default_rng(2)
    labels = random.integers(0, 2, 40).astype(np.uint8)
    images = (random.integers(0, 100, (40, 3, 4)) + 120 * labels[:, None, None]).astype(np.uint8)
    data, beside = folder / "images.idx", folder / "labels.idx"
    data.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 40, 0, 0, 0, 3, 0, 0, 0, 4]) + images.tobytes())
    beside.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 40]) + labels.tobytes())
    model = Model.load(trained(folder, "images", data, "--labels", beside))
    expected = model.predict(data)
    assert model.columns == [] and set(expected) == {0, 1}
    np.testing.assert_array_equal(model.predict(images), expected)
    np.testing.assert_array_equal(model.predict(images.reshape(40, 12)), expected)
    np.testing.assert_array_equal(model.predict_proba(images.astype(float)), model.predict_proba(data))
    assert model.evaluate(images, labels)["metrics"] == model.evaluate(data, beside)["metrics"]
    with pytest.raises(ValueError, match="data: expected images of 3 x 4 pixels, found the shape"):
        model.predict(images[:, :2])
    with pytest.raises(ValueError, match="y: expected the labels beside images"):
        model.evaluate(images)


def test_arrays_in_files(folder):
    random = np.random.default_rng(3)
    x = random.normal(size=(50, 3)).astype(np.float32)
    data, beside = folder / "x.npy", folder / "y.npy"
    np.save(data, x)
    np.save(beside, (x[:, 0] > 0).astype(np.int64))
    model = Model.load(trained(folder, "array", data, "--labels", beside))
    np.testing.assert_array_equal(model.predict(x), model.predict(data))
    np.testing.assert_array_equal(model.predict(x.tolist()), model.predict(data))
    assert model.evaluate(x, (x[:, 0] > 0).astype(int))["metrics"] == model.evaluate(data, beside)["metrics"]
    with pytest.raises(ValueError, match="y: expected the targets"):
        model.evaluate(x)


def test_saved_and_pickled(car, folder):
    model = Model.load(car)
    copied = folder / "copy.safetensors"
    model.save(copied)
    assert copied.read_bytes() == car.read_bytes()
    with pytest.raises(OSError, match="copy.safetensors"):
        model.save(copied)
    model.save(copied, overwrite=True)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), Model.load(str(copied)), deltarule.load(copied)):
        assert isinstance(other, Model) and other.describe() == model.describe()
        np.testing.assert_array_equal(other.predict_proba(CAR), model.predict_proba(CAR))


def test_for_other_programs(car, vertebral, folder):
    spine = Model.load(vertebral)
    x = np.stack([np.array(values, dtype=float) for values in list(columns_of(VERTEBRAL).values())[:-1]], axis=1)
    expected = spine.predict_proba(x)
    for name, marks in {"a.onnx": b"deltarule", "a.c": b"a_predict", "a.rs": b"pub fn predict"}.items():
        spine.export(folder / name)
        assert marks in (folder / name).read_bytes(), name
        with pytest.raises(OSError, match=name):
            spine.export(folder / name)
        spine.export(folder / name, overwrite=True)
    spine.export(folder / "one.onnx", one_input=True)
    Model.load(car).export(folder / "car file.c", name="car")
    assert b"car_predict" in (folder / "car file.c").read_bytes()
    with pytest.raises(ValueError, match="path: expected a name that ends in .onnx"):
        spine.export(folder / "a.txt")
    with pytest.raises(ValueError, match="one_input: expected an ONNX file"):
        spine.export(folder / "b.c", one_input=True)
    # Back again: the same network, for numbers as they are.
    back = Model.read(folder / "one.onnx", target="spine", classes=spine.classes_)
    np.testing.assert_allclose(back.predict_proba(x), expected, atol=1e-6)
    assert back.target_names == ["spine"] and back.classes_.tolist() == spine.classes_.tolist()
    try:
        import onnxruntime
    except ImportError:
        return
    session = onnxruntime.InferenceSession(str(folder / "one.onnx"))
    (_, probabilities) = session.run(["label", "probabilities"], {"x": x})
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_networks_of_estimators_and_of_others(folder):
    random = np.random.default_rng(4)
    x = random.normal(size=(40, 3)).astype(np.float32)
    mlp = deltarule.MLPClassifier((4,), max_iter=3, random_state=0).fit(x, np.where(x[:, 0] > 0, "yes", "no"))
    model = Model.of(mlp)
    assert model.parameters_sha256 == mlp.parameters_sha256_ and model.classes_.tolist() == ["no", "yes"]
    np.testing.assert_array_equal(model.predict(x), mlp.predict(x))
    model.export(folder / "torch.safetensors")
    back = Model.read(folder / "torch.safetensors", activation="relu", output_activation="sigmoid", columns="abc", classes=["no", "yes"])
    assert back.parameters_sha256 == mlp.parameters_sha256_
    np.testing.assert_array_equal(back.predict_proba({"c": x[:, 2], "a": x[:, 0], "b": x[:, 1]}), model.predict_proba(x))
    with pytest.raises(ValueError, match="activation: expected that of the hidden layers"):
        Model.read(folder / "torch.safetensors")
    with pytest.raises(ValueError, match="columns: expected 3, as many as there are to name, found 2"):
        Model.read(folder / "torch.safetensors", activation="relu", columns="ab")
    with pytest.raises(deltarule.ModelFileError, match="model of deltarule's already"):
        model.save(folder / "ours.safetensors")
        Model.read(folder / "ours.safetensors")


def test_errors_name_the_place(car, vertebral, folder):
    pandas = pytest.importorskip("pandas")
    model, frame = Model.load(car), pandas.read_csv(CAR).head(5)
    fault = frame.copy()
    fault.loc[3, "safety"] = "none"
    with pytest.raises(ValueError, match=r"row 3, column 'safety': 'none' was not seen in training, which knew 'high', 'low', 'med'"):
        model.predict(fault)
    fault.loc[2:3, "safety"] = None
    with pytest.raises(ValueError, match="row 2, column 'safety': 2 cells missing: row 2 'safety', row 3 'safety'"):
        model.predict(fault)
    with pytest.raises(ValueError, match="1 column missing: 'safety'; the table has 'buying'"):
        model.predict(frame.drop(columns="safety"))
    with pytest.raises(ValueError, match="data: expected 6 or 7 columns, found 5"):
        model.predict(np.zeros((2, 5)))
    with pytest.raises(ValueError, match="data: expected two dimensions"):
        model.predict(np.zeros(6))
    with pytest.raises(ValueError, match="expected each column once, found 'buying' twice"):
        model.predict(pandas.concat([frame, frame[["buying"]]], axis=1))
    with pytest.raises(ValueError, match="column 'maint': expected 5 rows as in the first column, found 4"):
        model.predict({name: frame[name].tolist()[: 4 if name == "maint" else 5] for name in frame})
    with pytest.raises(FileNotFoundError):
        model.predict(folder / "none.csv")
    with pytest.raises(ValueError, match="car.csv: a table has its targets in a column"):
        model.evaluate(CAR, CAR)
    with pytest.raises(ValueError, match="no column 'class'"):
        model.evaluate(frame.drop(columns="class"))
    with pytest.raises(ValueError, match=r"y: expected rows x 1, found the shape"):
        model.evaluate(frame, np.zeros((5, 2)))
    assert model.predict(frame.head(0)).shape == (0,) and model.predict_proba(frame.head(0).to_numpy()).shape == (0, 4)
    with pytest.raises(ValueError, match="data: expected rows to measure on, found none"):
        model.evaluate(frame.head(0))
    broken = folder / "broken.csv"
    broken.write_text(CAR.read_text().replace("vhigh,vhigh,2,2,small,med", "vhigh,vhigh,2,2,small,none", 1))
    with pytest.raises(ValueError, match="broken.csv:3: .*safety.*'none' was not seen"):
        model.predict(broken)
    spine = Model.load(vertebral)
    rows = np.zeros((3, 6))
    rows[1, 2] = np.nan
    with pytest.raises(ValueError, match="row 1, column 'lumbar_lordosis_angle': 1 cell missing"):
        spine.predict(rows)
    rows[1, 2] = np.inf
    with pytest.raises(ValueError, match="row 1, column 'lumbar_lordosis_angle': .*inf"):
        spine.predict(rows)
    with pytest.raises(ValueError, match="row 0, column 'pelvic_tilt': .*'x'"):
        spine.predict({c.name: ["x"] if c.name == "pelvic_tilt" else [0.0] for c in spine.columns})


def test_files_that_are_no_models(folder):
    for name, data in (("empty", b""), ("text", b"a,b\n1,2\n"), ("short", b"\x10\0\0\0\0\0\0\0{}")):
        path = folder / name
        path.write_bytes(data)
        with pytest.raises(deltarule.ModelFileError, match=name):
            Model.load(path)
    with pytest.raises(FileNotFoundError):
        Model.load(folder / "absent")
    with pytest.raises(TypeError, match="Model.load"):
        Model(1)
