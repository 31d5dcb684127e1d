"""Models as ONNX files, beside the command that wrote them: the largest difference over the training set.

Called by scripts/compare, which makes the environment. Each model is trained by the command, exported, checked by onnx.checker, run by
ONNX Runtime over the rows it was trained on, and compared with `deltarule predict --proba`. A label may differ only where two classes
are equally probable to within the bound.

The difference of a probability is taken as it is, for they sum to 1; that of a score or a number relative to the number, or to the mean
size of its column where the number is smaller.
"""

import argparse
import csv
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

COMMAND = os.path.abspath(os.environ["DELTARULE"])
DATA = os.path.abspath("data")
BOUND = {"f32": 1e-5, "f64": 1e-12}
MISSING = {"", "NA", "N/A", "n/a", "null", "NULL", "?"}
ACTIVATIONS = ["identity", "sigmoid", "tanh", "relu", "leaky_relu=0.2", "elu=0.7", "selu", "softplus", "silu", "gelu", "gelu_tanh",
               "exponential"]  # fmt: skip


def write_csv(name, header, rows):
    with open(name, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def write_data():
    """Tables that have what those of the repository have not; all random numbers have one seed."""
    r = random.Random(1)
    mixed, labels, numbers, counts, far = [], [], [], [], []
    for _ in range(400):
        x = [r.gauss(0, 1) for _ in range(4)]
        colour = r.choice(["red", "green", "blue, or so", "ça"])
        size = r.choice(["1", "2", "10"])
        wet = x[0] + (colour == "red") + 0.3 * r.gauss(0, 1) > 0.5
        cells = [f"{1e6 + x[0]:.4f}", colour, f"{x[1]:.5g}", size, f"{1e-8 * x[2]:.6g}", "yes" if wet else "no"]
        gap = r.randrange(30)
        if gap < 5:
            cells[gap] = r.choice(["", "NA", "?", "nan", "NaN", "-nan"])
        mixed.append(cells)
        label = [str(int(x[0] > 0)), "hot" if x[1] + x[2] > 0.2 else "cold", "b" if x[0] * x[1] > 0 else "a"]
        labels.append([f"{v:.6g}" for v in x] + label)
        value = [1e4 + 3 * x[0] + x[1] ** 2, 1e-5 * (x[2] - x[3])]
        numbers.append([f"{v:.6g}" for v in x] + [f"{v:.9g}" for v in value])
        rate = math.exp(0.5 + 0.7 * x[0] - 0.4 * x[1])
        count = sum(r.random() < rate / 50 for _ in range(50))
        counts.append([f"{v:.6g}" for v in x] + [str(count)])
        far.append([f"{1e6 + 3 * v:.3f}" for v in x] + ["in" if x[0] ** 2 + x[1] ** 2 < 1.5 else "out"])
    write_csv("mixed.csv", ["distance", "colour", "height", "size", "label", "wet"], mixed)
    write_csv("labels.csv", list("abcd") + ["bit", "warmth", "side"], labels)
    write_csv("numbers.csv", list("abcd") + ["level", "slope"], numbers)
    write_csv("counts.csv", list("abcd") + ["count"], counts)
    write_csv("far.csv", list("abcd") + ["place"], far)
    matrix = np.array([[float(v) for v in row[:4]] for row in numbers])
    np.save("matrix.npy", matrix.astype(np.float32))
    np.save("matrix64.npy", matrix)
    np.save("classes.npy", (matrix[:, 0] > 0).astype(np.int64) + (matrix[:, 1] > 0.5))
    with open("images.idx", "wb") as file:
        file.write(struct.pack(">IIII", 0x803, 200, 5, 4) + bytes(r.randrange(256) for _ in range(200 * 20)))
    with open("digits.idx", "wb") as file:
        file.write(struct.pack(">II", 0x801, 200) + bytes(r.randrange(3) for _ in range(200)))


def models():
    """Name, data, flags of the training, flags of the export."""
    car, spine = f"{DATA}/car.csv", f"{DATA}/vertebral.csv"
    short = "--epochs 5 --hidden 16,8"
    for dtype in ["f32", "f64"]:
        def model(name, data, flags, export="", dtype=dtype):
            return name, dtype, data, f"--test 0 --dtype {dtype} {flags}", export

        yield model("categories (car)", car, "--target class --epochs 20")
        yield model("numbers (vertebral)", spine, "--target class")
        yield model("numbers, one input", spine, "--target class --epochs 5", "--one-input")
        yield model("missing cells, categories, 1e6 +- 1", "mixed.csv", "--target wet --missing mean --categorical size")
        yield model("columns 1e6 +- 3", "far.csv", "--target place")
        yield model("three labels", "labels.csv", "--target bit,warmth,side --epochs 20")
        yield model("a number in its units", "numbers.csv", "--target level --epochs 20 --ignore slope")
        yield model("two numbers", "numbers.csv", "--target level,slope --epochs 20")
        yield model("counts (poisson)", "counts.csv", "--target count --task regress --loss poisson --epochs 20")
        yield model("a matrix", "matrix.npy" if dtype == "f32" else "matrix64.npy", "--labels classes.npy --epochs 20")
        yield model("images", "images.idx", "--labels digits.idx --epochs 20")
        yield model("batch normalisation", car, f"--target class {short} --norm batch")
        yield model("layer normalisation", car, f"--target class {short} --norm layer")
        yield model("hinge, two classes", spine, f"--target class {short} --loss hinge")
        yield model("squared hinge, four classes", car, f"--target class {short} --loss squared_hinge")
        yield model("perceptron, two classes", spine, "--target class --solver perceptron --epochs 20")
        yield model("perceptron, four classes", car, "--target class --solver perceptron --epochs 20")
        yield model("independent sigmoids", car, f"--target class {short} --output-activation sigmoid --loss logistic_cross_entropy")
        for name in ACTIVATIONS:
            # Exponentials of exponentials run away from large weights.
            small = " --rate 0.001 --init uniform=0.1" if name == "exponential" else ""
            yield model(name.split("=")[0], spine, f"--target class {short} --activation {name}{small}")
        for name, loss in [("softplus", "squared_error"), ("exponential", "poisson")]:
            flags = f"--target count --task regress {short} --output-activation {name} --loss {loss}"
            yield model(f"{name} outputs", "counts.csv", flags)


def run(*words):
    done = subprocess.run([COMMAND, *words], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"deltarule {' '.join(words)}\n{done.stderr}")
    return done.stdout


def feeds(session, data):
    """The raw rows as the session asks for them."""
    inputs = session.get_inputs()
    types = {"tensor(float)": np.float32, "tensor(double)": np.float64}
    if data.endswith(".npy") or data.endswith(".idx"):
        x = np.load(data) if data.endswith(".npy") else np.frombuffer(Path(data).read_bytes()[16:], np.uint8).reshape(200, 20)
        return {inputs[0].name: x.astype(types[inputs[0].type])}
    with open(data, newline="") as file:
        header, *rows = csv.reader(file)

    def column(name, kind):
        cells = [row[header.index(name)] for row in rows]
        if kind == "tensor(string)":
            return np.array(cells, object).reshape(-1, 1)
        return np.array([math.nan if c in MISSING else float(c) for c in cells], types[kind]).reshape(-1, 1)

    if [i.name for i in inputs] == ["x"]:
        width = inputs[0].shape[1]
        return {"x": np.hstack([column(name, inputs[0].type) for name in header[:width]])}
    return {i.name: column(i.name, i.type) for i in inputs}


def relative(ours, theirs):
    """The largest difference relative to the number itself, however small that is."""
    return float((np.abs(ours - theirs) / np.abs(ours))[ours != 0].max())


def compare(name, dtype, data, train, export):
    import onnx
    import onnxruntime

    run("train", data, *train.split(), "--model", "model", "--force")
    run("export", "model", "model.onnx", "--force", *export.split())
    onnx.checker.check_model(onnx.load("model.onnx"), full_check=True)
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    outputs = dict(zip([o.name.rsplit("_", 1)[0] for o in session.get_outputs()], session.run(None, feeds(session, data))))
    output = run("predict", "model", data, "--proba")
    if comes_back(data, output, "--one-input" in export) is False:
        sys.exit(f"{name}: what `deltarule import` makes of its ONNX file predicts something else")
    header, *said = csv.reader(output.splitlines())
    probable = [i for i, column in enumerate(header) if column.startswith("p(")]
    targets = len(header) - len(probable)
    result = {"model": name, "dtype": dtype, "rows": len(said)}
    if "prediction" in outputs:
        ours = np.array([[float(c) for c in row] for row in said])
        theirs = outputs["prediction"]
        scale = np.maximum(np.abs(ours), np.abs(ours).mean(axis=0))
        result["difference"] = float((np.abs(ours - theirs) / scale).max())
        result["relative"] = relative(ours, theirs)
        result["labels"] = 0
        return result
    labels = np.array([row[:targets] for row in said], object)
    label = outputs["label"].reshape(labels.shape)
    if "probabilities" in outputs:
        ours = np.array([[float(row[i]) for i in probable] for row in said])
        theirs = outputs["probabilities"]
        result["difference"] = float(np.abs(ours - theirs).max())
        result["relative"] = relative(ours, theirs)
        if label.shape[1] > 1:
            ties = np.abs(ours - 0.5) <= BOUND[dtype]
        else:
            best = np.sort(ours, axis=1)
            ties = (best[:, -1:] - best[:, -2:-1]) <= BOUND[dtype]
    else:
        # Of choices there is nothing but the label.
        assert np.isfinite(outputs["scores"]).all()
        result["difference"] = None
        ties = np.zeros(labels.shape, bool)
    result["labels"] = int(((labels != label) & ~ties).sum())
    return result


def comes_back(data, output, one_input):
    """Whether `deltarule import` makes of the ONNX file what says the same, to the letter; images come back as columns."""
    if data.endswith(".idx"):
        return None
    names = []
    if one_input:
        with open(data) as file:
            names = ["--columns", ",".join(file.readline().split(",")[:-1])]
    run("import", "model.onnx", "--model", "again", "--force", *names)
    return run("predict", "again", data, "--proba") == output


def foreign():
    """Files of scikit-learn's and PyTorch's exporters, read by `deltarule import`, beside what those programs predict themselves."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)).astype(np.float32)
    two, three = (x[:, 0] > 0).astype(int), (x[:, 0] + x[:, 1] > 0).astype(int) + (x[:, 2] > 1)
    results = []

    def compare(name, file, expected, dtype="f32"):
        np.savetxt("x.csv", x, fmt="%.17g", delimiter=",")
        Path("model.onnx").write_bytes(file)
        run("import", "model.onnx", "--model", "model", "--force")
        header, *said = csv.reader(run("predict", "model", "x.csv", "--proba", "--header", "no").splitlines())
        first = sum(not column.startswith("p(") for column in header) % len(header)
        ours = np.array([[float(c) for c in row[first:]] for row in said])
        # Of one probability both are told.
        expected = expected.reshape(len(x), -1)
        ours = ours[:, -expected.shape[1] :]
        difference = float((np.abs(ours - expected) / np.maximum(np.abs(expected), 1)).max())
        results.append({"model": name, "dtype": dtype, "rows": len(x), "difference": difference, "labels": 0})
        print(line(results[-1]), flush=True)

    try:
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType
        from sklearn.impute import SimpleImputer
        from sklearn.neural_network import MLPClassifier, MLPRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MinMaxScaler, StandardScaler
    except ImportError as error:
        print(f"compare: skipped scikit-learn's files, {error}", file=sys.stderr)
    else:
        numbers = dict(hidden_layer_sizes=(8,), max_iter=50, random_state=0)
        for name, estimator, y in [
            ("MLPClassifier, two classes", MLPClassifier((8, 4), max_iter=50, random_state=0), np.array(["no", "yes"])[two]),
            ("MLPClassifier, three classes, tanh", MLPClassifier((8, 4), activation="tanh", max_iter=50, random_state=0), three),
            ("MLPRegressor, logistic", MLPRegressor(activation="logistic", **numbers), x[:, 0] * x[:, 1]),
            ("impute, standardise, MLPClassifier", make_pipeline(SimpleImputer(), StandardScaler(), MLPClassifier(**numbers)), three),
            ("MinMaxScaler, MLPRegressor", make_pipeline(MinMaxScaler(), MLPRegressor(**numbers)), x[:, 0]),
        ]:
            estimator.fit(x, y)
            file = convert_sklearn(estimator, initial_types=[("input", FloatTensorType([None, 4]))]).SerializeToString()
            told = estimator.predict_proba(x) if hasattr(estimator, "predict_proba") else estimator.predict(x)
            compare(f"scikit-learn: {name}", file, told)
    try:
        import io

        import torch
        from torch import nn
    except ImportError as error:
        print(f"compare: skipped PyTorch's files, {error}", file=sys.stderr)
        return results
    torch.manual_seed(0)
    norm = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.SiLU(), nn.Dropout(0.3), nn.Linear(8, 5, bias=False), nn.LayerNorm(5),
                         nn.Tanh(), nn.Linear(5, 3), nn.Softmax(-1))  # fmt: skip
    for _ in range(5):
        norm(torch.from_numpy(x))
    nets = {"norms, dropout, softmax": norm}
    activations = [nn.ReLU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.ELU(0.5), nn.SELU(), nn.LeakyReLU(0.2), nn.PReLU()]
    for activation in [*activations, nn.Softplus(), nn.Sigmoid()]:
        nets[str(activation)] = nn.Sequential(nn.Linear(4, 6), activation, nn.Linear(6, 2))
    for name, net in nets.items():
        net.eval()
        file = io.BytesIO()
        torch.onnx.export(net, (torch.from_numpy(x),), file, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}})
        with torch.no_grad():
            compare(f"PyTorch: {name}", file.getvalue(), net(torch.from_numpy(x)).numpy())
    return results


def refusals():
    """What a runtime must not guess: an unknown category is an error, and a missing cell without a fill has no label."""
    import onnxruntime

    run("train", f"{DATA}/car.csv", "--target", "class", "--epochs", "1", "--model", "model", "--force")
    run("export", "model", "model.onnx", "--force")
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    known = {name: values[:2] for name, values in feeds(session, f"{DATA}/car.csv").items()}
    name = session.get_inputs()[0].name
    try:
        session.run(None, known | {name: np.array([["never"], ["seen"]], object)})
        sys.exit("an unknown category was taken")
    except Exception as error:
        assert "Unknown Category" in str(error), error
    for data, target in [(f"{DATA}/vertebral.csv", "--target class"), (f"{DATA}/vertebral.csv", "--target class --solver perceptron")]:
        run("train", data, *target.split(), "--epochs", "1", "--model", "model", "--force")
        run("export", "model", "model.onnx", "--force")
        session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
        rows = feeds(session, data)
        next(iter(rows.values()))[1] = math.nan
        label, known = session.run(None, rows)
        assert label[1] == "" and np.isnan(known[1]).all() and label[0] != "" and np.isfinite(known[0]).all(), (label[:3], known[:3])


def figure(result):
    return "labels alone" if result["difference"] is None else f"{result['difference']:.1e}"


def line(result):
    of_itself = f", {result['relative']:.1e} of itself" if "relative" in result else ""
    return "{model:36} {dtype} {rows:5} rows  ".format(**result) + f"{figure(result)}{of_itself}, {result['labels']} other labels"


def main():
    parser = argparse.ArgumentParser(prog="scripts/compare files", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help="models whose names contain this")
    parser.add_argument("--update", action="store_true", help="put the table into docs/files.md")
    args = parser.parse_args()
    import onnx
    import onnxruntime

    # Errors are asked for below, and caught.
    onnxruntime.set_default_logger_severity(4)
    root = os.getcwd()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_data()
        for model in models():
            if args.only in model[0]:
                results.append(compare(*model))
                print(line(results[-1]), flush=True)
        refusals()
        others = foreign()
        os.chdir(root)
    lines = ["| model | rows | `f32` | `f64` |", "|---|---:|---:|---:|"]
    for name in dict.fromkeys(result["model"] for result in results):
        of = {result["dtype"]: result for result in results if result["model"] == name}
        cells = [figure(of[dtype]) if dtype in of else "" for dtype in BOUND]
        lines.append(f"| {name} | {next(iter(of.values()))['rows']} | {' | '.join(cells)} |")
    lines += ["", "| file | rows | difference |", "|---|---:|---:|"]
    lines += [f"| {result['model']} | {result['rows']} | {figure(result)} |" for result in others]
    results += others
    versions = f"onnx {onnx.__version__}, ONNX Runtime {onnxruntime.__version__}"
    note = f"{versions}; no label was another, and what\nwas imported again says the same to the letter."
    table = "\n".join([*lines, "", note, ""])
    print("\n" + table)
    Path("target/compare-files.json").write_text(json.dumps(results, indent=1))
    bad = [r for r in results if not (r["difference"] or 0.0) <= BOUND[r["dtype"]] or r["labels"]]
    if bad:
        sys.exit(f"beyond the bound: {bad}")
    if args.update and not all(any(r["model"].startswith(program) for r in others) for program in ["scikit-learn", "PyTorch"]):
        sys.exit("docs/files.md stays as it is: it has rows of programs that are not installed here")
    if args.update:
        begin, end = "<!-- scripts/compare files -->\n", "<!-- end -->\n"
        page = Path("docs/files.md")
        before, rest = page.read_text().split(begin)
        page.write_text(before + begin + table + end + rest.split(end, 1)[1])


if __name__ == "__main__":
    main()
