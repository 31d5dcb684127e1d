"""The training steps and predictions that are compared: what they are, their numbers, and their exact answers."""

import json
import pathlib

import numpy as np

TARGET = pathlib.Path("target")
FOLDER = TARGET / "compare-steps"
MNIST = TARGET / "data/mnist"
SEED = 20_260_201

# ---------------------------------------------------------------------------------------------------------------- rows


class Row:
    """A network, its rows, and what is repeated, as benches/rows/mod.rs says."""

    def __init__(self, name, job):
        self.name = name
        self.job = job | {"folder": str(FOLDER)}

    def __getattr__(self, name):
        return self.job[name]

    def title(self):
        network = f"{'-'.join(map(str, self.widths))} {self.hidden}"
        if self.work == "predict":
            return f"{network}, {self.rows} row{'s'[: self.rows > 1]}"
        if self.work == "epoch":
            return f"{network}, an epoch of {self.rows:,} rows by {self.batch}, {self.method}"
        return f"{network}, {self.rows:,} rows, {'value and gradient' if self.work == 'gradient' else self.method}, {self.kind()}"

    def kind(self):
        return self.job["type"]

    def operations(self):
        """Those of its matrix products: the first layer has no gradient of its inputs."""
        products = [inputs * outputs for inputs, outputs in zip(self.widths, self.widths[1:])]
        backward = sum(products) + sum(products[1:])
        return 2 * self.rows * (sum(products) + (0 if self.work == "predict" else backward))


# The benches read the same file.
FILE = pathlib.Path(__file__).parent.parent / "benches/rows/rows.json"
ROWS = [Row(row["name"], row["job"]) for row in json.loads(FILE.read_text())]

# ---------------------------------------------------------------------------------------------------------------- data


def xor():
    random = np.random.RandomState(1)
    params = 2 * random.random_sample(16) - 1
    return params, np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]), np.array([[0], [1], [1], [0]])


def mnist(random):
    """MNIST's training rows, or as many random ones; and which."""
    try:
        pixels = np.fromfile(MNIST / "train-images-idx3-ubyte", dtype=np.uint8)[16:]
        labels = np.fromfile(MNIST / "train-labels-idx1-ubyte", dtype=np.uint8)[8:]
        return pixels.reshape(-1, 784) / np.float32(255), labels, "MNIST"
    except OSError:
        return random.random((60_000, 784), dtype=np.float32), random.integers(10, size=60_000), "random numbers like MNIST's"


def matrix_exponentials(x):
    """Of the 2 x 2 matrix in each row, by its series."""
    matrices = x.reshape(-1, 2, 2)
    total = term = np.broadcast_to(np.eye(2), matrices.shape)
    for k in range(1, 25):
        term = term @ matrices / k
        total = total + term
    return total.reshape(-1, 4)


def numbers(row):
    """Parameters, inputs and targets of a row, and where they are from, if that is not chance."""
    random = np.random.default_rng([SEED, *row.name.encode()])
    if row.name == "T1":
        return *xor(), ""
    params = []
    for inputs, outputs in zip(row.widths, row.widths[1:]):
        gain = 2 if row.hidden == "relu" else 1
        params.append(random.normal(0, (gain / inputs) ** 0.5, inputs * outputs))
        params.append(random.uniform(-0.1, 0.1, outputs))  # Not zero, so that one forgotten is noticed.
    params = np.concatenate(params)
    if row.name == "T8":
        x, labels, source = mnist(random)
        return params, x, np.eye(10)[labels], source
    if row.name == "T2":
        x = random.normal(0, 0.5, (row.rows, 4))
        return params, x, matrix_exponentials(x), ""
    x = random.normal(0, 1, (row.rows, row.widths[0]))
    if row.output == "softmax":
        return params, x, np.eye(row.widths[-1])[random.integers(row.widths[-1], size=row.rows)], ""
    return params, x, random.normal(0, 1, (row.rows, row.widths[-1])), ""


# ----------------------------------------------------------------------------------------------------- what is expected

FUNCTIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda a: a > 0),
    "tanh": (np.tanh, lambda a: 1 - a**2),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
    "identity": (lambda z: z, lambda a: 1),
    # Its slope is in the loss.
    "softmax": (lambda z: np.exp(z - z.max(1, keepdims=True)) / np.exp(z - z.max(1, keepdims=True)).sum(1, keepdims=True), lambda a: 1),
}


def split(row, flat):
    """Weights and biases of each layer, as views."""
    at = 0
    for inputs, outputs in zip(row.widths, row.widths[1:]):
        middle = at + inputs * outputs
        end = middle + (outputs if row.biases else 0)
        yield flat[at:middle].reshape(inputs, outputs), flat[middle:end]
        at = end


def passes(row, params, x):
    activations = [x]
    for l, (weights, biases) in enumerate(split(row, params)):
        z = activations[-1] @ weights + (biases if row.biases else 0)
        activations.append(FUNCTIONS[row.output if l + 2 == len(row.widths) else row.hidden][0](z))
    return activations


def gradient(row, params, x, y):
    """The loss and its gradient."""
    activations = passes(row, params, x)
    if row.output == "softmax":
        loss = -(y * np.log(activations[-1])).sum() / len(x)
    else:
        loss = ((activations[-1] - y) ** 2).sum() / 2 / len(x)
    slopes = np.zeros_like(params)
    delta = (activations[-1] - y) / len(x) * FUNCTIONS[row.output][1](activations[-1])
    layers = zip(split(row, params), split(row, slopes), activations)
    for (weights, _), (weight_slopes, bias_slopes), below in reversed(list(layers)):
        weight_slopes[:] = below.T @ delta
        bias_slopes[:] = delta.sum(0) if row.biases else 0
        if below is not x:
            delta = delta @ weights.T * FUNCTIONS[row.hidden][1](below)
    return loss, slopes


class Descent:
    """Plain gradient descent or Adam, from its first step."""

    def __init__(self, row, params):
        self.row, self.params = row, params.copy()
        self.steps, self.mean, self.square = 0, 0, 0

    def step(self, x, y):
        """One step on these rows; the loss before it."""
        loss, slopes = gradient(self.row, self.params, x, y)
        if self.row.method == "sgd":
            self.params -= self.row.rate * slopes
            return loss
        self.steps += 1
        self.mean = 0.9 * self.mean + 0.1 * slopes
        self.square = 0.999 * self.square + 0.001 * slopes**2
        mean, square = self.mean / (1 - 0.9**self.steps), self.square / (1 - 0.999**self.steps)
        self.params -= self.row.rate * mean / (np.sqrt(square) + 1e-8)
        return loss


COMPARED = 5


def expected(row, params, x, y):
    """What every side must answer, in f64."""
    params, x, y = (array.astype(float) for array in (params, x, y))
    if row.work == "predict":
        return passes(row, params, x)[-1].ravel()
    if row.work == "gradient":
        loss, slopes = gradient(row, params, x, y)
        return np.array([loss, *slopes])
    descent = Descent(row, params)
    if row.work == "step":
        return np.array([descent.step(x, y) for _ in range(COMPARED)])
    pieces = [(x[at : at + row.batch], y[at : at + row.batch]) for at in range(0, row.rows, row.batch)]
    return np.array([sum(descent.step(*piece) * len(piece[0]) for piece in pieces) / row.rows])


# The largest difference that is still the same answer. Losses, relative: f32 rounds sums of hundreds of terms, and Adam moves even
# those weights by the rate whose gradient is nothing but rounding (scikit-learn adds epsilon to the uncorrected root: 6e-4 in the
# fifth loss of T6). An epoch is hundreds of such steps.
LOSS_TOLERANCE = {"f32": 1e-3, "f64": 1e-11}
EPOCH_TOLERANCE = 5e-3
# Of gradients and probabilities: relative to the largest.
TOLERANCE = 1e-4


def difference(row, found, exact):
    """How far an answer is away, and whether it is still the same."""
    if found.shape != exact.shape:
        return float("inf"), False
    if row.work in ("step", "epoch"):
        error = np.abs(found / exact - 1).max()
        tolerance = EPOCH_TOLERANCE if row.work == "epoch" else LOSS_TOLERANCE[row.kind()]
    else:
        error, tolerance = np.abs(found - exact).max() / np.abs(exact).max(), TOLERANCE
    return error, bool(error <= tolerance)


def require_a_check_that_fails(row, exact):
    """What no training would be must be refused: losses that do not move as they should, one number that is off, or NaN."""
    wrong = [exact.copy() for _ in range(2)]
    wrong[0][-1] += 20 * np.abs(exact).max() * (EPOCH_TOLERANCE if row.work == "epoch" else TOLERANCE)
    wrong[1][0] = np.nan
    if row.work == "step":
        wrong.append(np.full(COMPARED, exact[0]))
        wrong.append(exact[[0, 1, 2, 3, 3]])
    if not difference(row, exact, exact)[1] or any(difference(row, answer, exact)[1] for answer in wrong):
        raise SystemExit(f"compare: the check of answers does not work for {row.name}")


# --------------------------------------------------------------------------------------------------------------- files


def write(row):
    """Makes the row's numbers, writes the files of which its job speaks, and gives them and their source."""
    params, x, y, source = numbers(row)
    dtype = {"f32": "<f4", "f64": "<f8"}[row.kind()]
    params, x, y = (np.ascontiguousarray(array, dtype=dtype) for array in (params, x, y))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, array in (("params", params), ("x", x), ("y", y)):
        array.tofile(FOLDER / name)
    return (params, x, y), source
