"""Estimators in files: deltarule's model file, which the command and the library read, and scikit-learn's estimators."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from . import _deltarule

#: What the file of an estimator says of where it is from, before the estimator's name.
MARK = "deltarule for Python, "


class FilesMixin:
    """Saving and loading of a fitted network."""

    def save(self, path: str | os.PathLike[str], overwrite: bool = False, _name: str | None = None) -> None:
        """Writes the fitted network as a model file, whole or not at all; one that exists is replaced with ``overwrite`` alone.

        ``deltarule.load`` gives the estimator back, and the command predicts with it. Settings of the training are not in it: pickle
        has them.
        """
        net = self._net_or_raise()
        kind, names = self._target()
        columns = getattr(self, "feature_names_in_", None)
        columns = None if columns is None else [str(name) for name in columns]
        classes = getattr(self, "classes_", np.zeros(0))
        if len(classes) == 1:
            raise ValueError(f"classes: expected two or more to save a classifier, found one: {classes[0]!r}.")
        training = f"{MARK}{_name or type(self).__name__}; {classes.dtype.str}; {self.solver}, {self.n_iter_} epochs"
        net.save(os.fspath(path), overwrite, columns, kind, names, self._loss(), {"training": training, "data": "arrays"})

    @classmethod
    def from_sklearn(cls, estimator: Any) -> Any:
        """The same network as a fitted estimator of scikit-learn, with its parameters: it predicts the same."""
        check_is_fitted(estimator)
        if is_classifier(estimator) != is_classifier(cls()) or not hasattr(estimator, "coefs_"):
            raise TypeError(f"expected scikit-learn's {cls.__name__}, got {type(estimator).__name__}.")
        known = cls().get_params()
        new = cls(**{name: value for name, value in estimator.get_params().items() if name in known})
        inputs = estimator.coefs_[0].shape[0]
        for name in ("classes_", "n_features_in_", "feature_names_in_"):
            if hasattr(estimator, name):
                setattr(new, name, getattr(estimator, name))
        if hasattr(new, "classes_"):
            many = isinstance(new.classes_, list)
            label_kind = getattr(getattr(estimator, "_label_binarizer", None), "y_type_", "")
            new._kind = "labels" if many or label_kind == "multilabel-indicator" else "classes"
        else:
            new._columns = estimator.n_outputs_
        new._begin(inputs, estimator.n_outputs_, estimator.coefs_[0].dtype, [])
        new.set_weights(estimator.coefs_, estimator.intercepts_)
        new.n_iter_, new._epochs, new.t_, new.loss_ = estimator.n_iter_, estimator.n_iter_, estimator.t_, estimator.loss_
        new.loss_curve_ = list(getattr(estimator, "loss_curve_", []))
        for name in ("best_loss_", "best_validation_score_", "validation_scores_"):
            setattr(new, name, getattr(estimator, name, None))
        return new

    def to_sklearn(self) -> Any:
        """The same network as a fitted estimator of scikit-learn: of its activations, losses and solvers alone."""
        from sklearn import neural_network
        from sklearn.preprocessing import LabelBinarizer

        kind = getattr(neural_network, type(self).__name__)
        known = kind().get_params()
        settings = {name: value for name, value in self.get_params().items() if name in known}
        names = {self.activation} if isinstance(self.activation, str) else set(self.activation)
        if len(names) <= 1:
            settings["activation"] = {"sigmoid": "logistic"}.get(*names, *names) if names else "relu"
        new = kind(**settings)
        new._validate_params()
        many = len(getattr(self, "classes_", ())) > 2 and getattr(self, "_kind", "") == "classes"
        outputs = ("softmax" if many else "logistic",) if is_classifier(self) else ("identity", "exp")
        if self.norm is not None or self.out_activation_ not in outputs:
            raise ValueError(f"scikit-learn has no norms, and of this kind no output but {' or '.join(outputs)}.")
        new.coefs_ = [np.array(coef) for coef in self.coefs_]
        new.intercepts_ = [np.array(intercept) for intercept in self.intercepts_]
        for name in ("classes_", "n_features_in_", "feature_names_in_", "n_iter_", "t_", "loss_", "loss_curve_", "best_loss_"):
            if hasattr(self, name):
                setattr(new, name, getattr(self, name))
        new.n_layers_, new.n_outputs_, new.out_activation_ = self.n_layers_, self.n_outputs_, self.out_activation_
        if hasattr(self, "classes_"):
            new._label_binarizer = LabelBinarizer().fit(
                np.eye(len(self.classes_), dtype=int) if self._kind == "labels" else self.classes_
            )
        return new


def load(path: str | os.PathLike[str]) -> Any:
    """What a model file holds: the estimator that saved it, or, of the command's models, a :class:`deltarule.Model`.

    An estimator has its network, its classes and its columns' names; parameters of its training are the defaults.
    """
    from . import MLPClassifier, MLPRegressor

    found = _deltarule.read_network(os.fspath(path))
    if found is None:
        from ._model import Model

        return Model.load(path)
    net, kind, names, loss, columns, training = found
    name, dtype, _ = training.removeprefix(MARK).split("; ", 2)
    inputs, layers = net.describe()
    hidden = layers[:-1]
    settings: dict[str, Any] = {
        "hidden_layer_sizes": tuple(layer[0] for layer in hidden),
        "activation": [layer[1] for layer in hidden] or "relu",
        "norm": None if not hidden or hidden[0][3] == "none" else hidden[0][3],
        "output_activation": layers[-1][1],
    }
    activations = set(settings["activation"])
    if isinstance(settings["activation"], list) and len(activations) == 1:
        settings["activation"] = activations.pop()
    if kind == "numbers":
        estimator: Any = MLPRegressor(loss=loss, **settings)
        estimator._columns = len(names)
    else:
        estimator = MLPClassifier(loss="log_loss" if loss.endswith("cross_entropy") else loss.removeprefix("softmax_"), **settings)
        estimator._kind = kind
        estimator.classes_ = np.arange(len(names)) if kind == "labels" else _labels(names, np.dtype(dtype))
    estimator.n_features_in_ = inputs
    if columns is not None:
        estimator.feature_names_in_ = np.array(columns, dtype=object)
    estimator._seed = 0
    estimator._adopt(net)
    estimator.n_iter_, estimator._epochs, estimator.loss_ = 1, 1, np.nan
    from . import _linear

    if name not in _linear.NAMES:
        return estimator

    # Another estimator's, with one layer.
    estimator._has_bias = layers[-1][2]
    linear = _linear.of(name, estimator)
    linear._take_over()
    return linear


def _labels(names: list[str], dtype: np.dtype[Any] | None = None) -> np.ndarray:
    """Classes as they were: texts, truths or numbers. Of a file that does not say, numbers if all are."""
    if dtype is None:
        for kind in (int, float):
            try:
                numbers = [kind(name) for name in names]
            except ValueError:
                continue
            if [str(number) for number in numbers] == names:
                return np.array(numbers)
        return np.array(names, dtype=object if any(len(name) > 64 for name in names) else None)
    if dtype.kind == "b":
        return np.array([name == "True" for name in names])
    if dtype.kind in "iuf":
        return np.array([float(name) if dtype.kind == "f" else int(name) for name in names], dtype=dtype)
    return np.array(names, dtype=dtype if dtype.kind == "O" else None)
