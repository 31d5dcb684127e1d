# %% [markdown]
# # Handwritten digits
#
# What a user of scikit-learn does every day, with deltarule's estimators: a pipeline, plots, a grid search; and what is new: the gradient
# is checked, the model is saved for the command, and exported for ONNX Runtime.
#
# Run it as a script, `python digits.py [FOLDER]`, which saves the plots there; or cell by cell.

# %%
import sys
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import ConfusionMatrixDisplay, classification_report
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import deltarule
from deltarule import MLPClassifier, Model, activations, gradcheck

folder = Path(sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else "digits")
folder.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## The data: 1797 images of 8 x 8 pixels
#
# In single precision: what comes in as `float32` is trained in `float32`.

# %%
X, y = load_digits(return_X_y=True)
X = X.astype(np.float32)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)

figure, axes = plt.subplots(2, 8, figsize=(8, 2.4))
for axis, image, digit in zip(axes.flat, X_train, y_train):
    axis.imshow(image.reshape(8, 8), cmap="gray_r")
    axis.set_title(digit, fontsize=9)
    axis.axis("off")
figure.savefig(folder / "digits.png", dpi=120)

# %% [markdown]
# ## A pipeline

# %%
mlp = MLPClassifier(hidden_layer_sizes=(64,), alpha=0.1, learning_rate_init=0.005, early_stopping=True, random_state=0)
model = make_pipeline(MinMaxScaler(), mlp)
started = time.perf_counter()
model.fit(X_train, y_train)
print(f"trained in {time.perf_counter() - started:.2f} s, {mlp.n_iter_} passes")
print(f"accuracy on {len(y_test)} images held back: {model.score(X_test, y_test):.3f}")
print(classification_report(y_test, model.predict(X_test), digits=3))

# %%
figure, axis = plt.subplots(figsize=(6, 3.5), layout="constrained")
axis.semilogy(mlp.loss_curve_, label="loss on the rows trained on")
axis.set_xlabel("pass over the rows")
axis.set_ylabel("loss")
right = axis.twinx()
right.plot(mlp.validation_scores_, color="tab:orange", label="accuracy on those held back to stop")
right.set_ylabel("accuracy")
figure.legend(loc="outside upper center", ncols=2)
figure.savefig(folder / "loss.png", dpi=120)

# %%
figure, axis = plt.subplots(figsize=(5, 5), layout="constrained")
ConfusionMatrixDisplay.from_estimator(model, X_test, y_test, ax=axis, colorbar=False)
figure.savefig(folder / "confusion.png", dpi=120)

# %% [markdown]
# ## What the first layer looks for

# %%
weights = mlp.coefs_[0].T
limit = np.abs(weights).max()
figure, axes = plt.subplots(4, 16, figsize=(10, 2.8))
for axis, unit in zip(axes.flat, weights):
    axis.imshow(unit.reshape(8, 8), cmap="RdBu", vmin=-limit, vmax=limit)
    axis.axis("off")
figure.savefig(folder / "weights.png", dpi=120)

# %% [markdown]
# ## A grid search
#
# Estimators are cloned, pickled and scored like scikit-learn's own. Layers may have activations of their own, and there are more solvers.

# %%
search = GridSearchCV(
    make_pipeline(MinMaxScaler(), MLPClassifier(hidden_layer_sizes=(32,), max_iter=40, random_state=0)),
    {
        "mlpclassifier__activation": ["relu", "tanh", "gelu"],
        "mlpclassifier__solver": ["adam", "lbfgs"],
        "mlpclassifier__alpha": [1e-4, 1e-2],
    },
    cv=3,
)
# Forty passes do for a comparison; that more would still gain is no news.
warnings.simplefilter("ignore", ConvergenceWarning)
started = time.perf_counter()
search.fit(X_train, y_train)
fits = len(search.cv_results_["params"]) * search.n_splits_ + 1
print(f"{fits} trainings in {time.perf_counter() - started:.1f} s; the best: {search.best_params_}")
print(f"accuracy in cross-validation {search.best_score_:.3f}, on the images held back {search.score(X_test, y_test):.3f}")

# %% [markdown]
# ## Is the gradient right?
#
# Of anybody's function: here softmax regression on these images, written with the activation kernels.

# %%
images, classes = X_train[:50].astype(np.float64) / 16, np.eye(10)[y_train[:50]]


def loss(params):
    return -(classes * activations.log_softmax(images @ params["weights"] + params["bias"])).sum() / len(images)


def gradient(params):
    delta = (activations.softmax(images @ params["weights"] + params["bias"]) - classes) / len(images)
    return {"weights": images.T @ delta, "bias": delta.sum(axis=0)}


point = {"weights": 0.1 * np.random.default_rng(0).normal(size=(64, 10)), "bias": np.zeros(10)}
report = gradcheck(loss, gradient, point)
print(report)
report.require()

# A factor that was forgotten is found, and where.
wrong = gradient(point)
wrong["weights"][20, 3] *= 1.001
print(gradcheck(loss, wrong, point).worst)

# %% [markdown]
# ## Into files
#
# A model file is read by `deltarule.load`, by the command (`deltarule predict`, `deltarule inspect`) and by the Rust library; its
# parameters have a checksum, which a training with the same rows, settings and seed has again.

# %%
mlp.save(folder / "digits.safetensors", overwrite=True)
again = deltarule.load(folder / "digits.safetensors")
scaled = model[:-1].transform(X_test)
assert (again.predict_proba(scaled) == mlp.predict_proba(scaled)).all()
twin = make_pipeline(MinMaxScaler(), MLPClassifier(**mlp.get_params())).fit(X_train, y_train)
assert twin[-1].parameters_sha256_ == mlp.parameters_sha256_
print(f"parameters {mlp.parameters_sha256_}")

# For ONNX Runtime, and as a C file without dependencies that checks itself.
exported = Model.of(mlp)
exported.export(folder / "digits.onnx", overwrite=True)
exported.export(folder / "digits.c", overwrite=True)
try:
    import onnxruntime
except ImportError:
    print("onnxruntime is not installed: the ONNX file is not run")
else:
    session = onnxruntime.InferenceSession(str(folder / "digits.onnx"))
    label, probabilities = session.run(["label", "probabilities"], {session.get_inputs()[0].name: scaled})
    print(f"ONNX Runtime differs by {np.abs(probabilities - mlp.predict_proba(scaled)).max():.1e} at most")

print("written:", ", ".join(sorted(path.name for path in folder.iterdir())))
