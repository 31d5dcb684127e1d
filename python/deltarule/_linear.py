"""One-layer networks by the names that scikit-learn's users know: the perceptron, logistic and linear regression."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ._mlp import MLPClassifier, MLPRegressor


class _OneLayer(BaseEstimator):
    """A network without hidden layers inside, and its weights as scikit-learn has them: units x inputs."""

    def _network(self) -> Any:
        """The network to be trained, with the settings of this estimator."""
        raise NotImplementedError

    def _train(self, X: Any, y: Any, sample_weight: Any) -> Any:
        mlp = self._network()
        if getattr(self, "warm_start", False) and hasattr(self, "_mlp"):
            mlp = self._mlp.set_params(**mlp.get_params())
        mlp._has_bias = bool(self.fit_intercept)
        # scikit-learn's, too.
        mlp._function_tolerance = 64 * np.finfo(float).eps
        mlp.fit(X, y, sample_weight) if sample_weight is not None else mlp.fit(X, y)
        self._mlp = mlp
        self._take_over()
        return self

    def _take_over(self) -> None:
        """What the network knows, under this estimator's names."""
        for name in ("classes_", "n_features_in_", "feature_names_in_"):
            if hasattr(self._mlp, name):
                setattr(self, name, getattr(self._mlp, name))
            elif hasattr(self, name):
                delattr(self, name)
        self.n_iter_ = self._mlp.n_iter_
        # A vector for one unit of numbers alone, as scikit-learn has it.
        self.coef_ = np.ascontiguousarray(self._mlp.coefs_[0].T)
        bias = np.array(self._mlp.intercepts_[0])
        self.intercept_ = bias if len(bias) else np.zeros(len(self.coef_), dtype=self.coef_.dtype)

    def _scores(self, X: Any) -> np.ndarray:
        """The weighted sums: rows x units."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=self._mlp._net.dtype, reset=False)
        return np.asarray(X @ np.atleast_2d(self.coef_).T) + self.intercept_

    @property
    def parameters_sha256_(self) -> str:
        """The SHA-256 of all parameters."""
        return self._mlp.parameters_sha256_

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Writes a model file: see :meth:`MLPClassifier.save`."""
        check_is_fitted(self)
        self._mlp.save(path, overwrite, type(self).__name__)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class _OneLayerClassifier(ClassifierMixin, _OneLayer):
    """The choice of a class by weighted sums."""

    def decision_function(self, X: Any) -> np.ndarray:
        """The weighted sums: of two classes one, positive for the second (of logistic regression the logarithm of their odds)."""
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row."""
        scores = self._scores(X)
        if scores.shape[1] == 1:
            return self.classes_[(scores[:, 0] > 0).astype(np.intp) * (len(self.classes_) > 1)]
        return self.classes_[scores.argmax(axis=1)]


class LogisticRegression(_OneLayerClassifier):
    """Logistic regression: one sigmoid unit for two classes, a softmax for more, trained by L-BFGS to its one minimum.

    Parameters
    ----------
    C : float, default=1.0
        The inverse of the penalty on squared weights, as in scikit-learn; ``np.inf`` for none.
    tol : float, default=1e-4
        It ends where no component of the gradient of the mean loss is larger, or where the loss falls no more (by 1.4e-14 of itself).
    fit_intercept, class_weight, max_iter, warm_start, verbose, random_state
        As scikit-learn's.
    n_threads
        As :class:`MLPClassifier`'s.

    Examples
    --------
    >>> from deltarule import LogisticRegression
    >>> LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]).predict([[0.5], [2.5]]).tolist()
    ['no', 'yes']
    """

    def __init__(
        self,
        *,
        C: float = 1.0,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        class_weight: Any = None,
        random_state: Any = None,
        max_iter: int = 100,
        verbose: Any = 0,
        warm_start: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.C = C
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.random_state = random_state
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_threads = n_threads

    def _network(self) -> MLPClassifier:
        if not self.C > 0:
            raise ValueError(f"C: expected a number above 0, got {self.C}.")
        return MLPClassifier(
            (),
            solver="lbfgs",
            alpha=1 / self.C,
            tol=self.tol,
            max_iter=self.max_iter,
            class_weight=self.class_weight,
            random_state=self.random_state,
            verbose=self.verbose,
            warm_start=self.warm_start,
            init="zeros",
            n_threads=self.n_threads,
        )

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LogisticRegression":
        """Trains on rows ``X`` with classes ``y``."""
        y = _one_column(y)
        return self._train(X, y, sample_weight)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class."""
        check_is_fitted(self)
        return self._mlp.predict_proba(X)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithms of the probabilities."""
        check_is_fitted(self)
        return self._mlp.predict_log_proba(X)


class Perceptron(_OneLayerClassifier):
    """Rosenblatt's perceptron: threshold units, each moved by the rows it has wrong until there are none.

    Of several classes each has a unit that tells it from the others, and the largest weighted sum decides.

    Parameters
    ----------
    max_iter : int, default=1000
        The most passes over the rows.
    eta0 : float, default=1.0
        The length of a move.
    fit_intercept, shuffle, random_state, warm_start, verbose
        As scikit-learn's.

    Examples
    --------
    >>> from deltarule import Perceptron
    >>> Perceptron(random_state=0).fit([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 1]).predict([[0.0, 0.0], [1.0, 1.0]]).tolist()
    [0, 1]
    """

    def __init__(
        self,
        *,
        max_iter: int = 1000,
        eta0: float = 1.0,
        fit_intercept: bool = True,
        shuffle: bool = True,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: Any = 0,
    ) -> None:
        self.max_iter = max_iter
        self.eta0 = eta0
        self.fit_intercept = fit_intercept
        self.shuffle = shuffle
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    def _network(self) -> MLPClassifier:
        return MLPClassifier(
            (),
            solver="perceptron",
            output_activation="step",
            loss="squared_error",
            alpha=0.0,
            learning_rate_init=self.eta0,
            max_iter=self.max_iter,
            shuffle=self.shuffle,
            random_state=self.random_state,
            warm_start=self.warm_start,
            verbose=self.verbose,
            init="zeros",
            n_threads=1,
        )

    def fit(self, X: Any, y: Any) -> "Perceptron":
        """Trains on rows ``X`` with classes ``y``."""
        return self._train(X, _one_column(y), None)


class LinearRegression(RegressorMixin, _OneLayer):
    """Least squares by one linear unit for each number: Levenberg-Marquardt on columns brought to one mean and size, in float64.

    With fewer rows than columns, or columns that say the same, one of many solutions. Of float32 rows the weights are kept in float32.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether there is a constant.

    Examples
    --------
    >>> from deltarule import LinearRegression
    >>> model = LinearRegression().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> [round(float(x), 6) for x in (model.coef_[0], model.intercept_)]
    [2.0, 1.0]
    """

    def __init__(self, *, fit_intercept: bool = True) -> None:
        self.fit_intercept = fit_intercept

    def _network(self) -> MLPRegressor:
        return MLPRegressor(hidden_layer_sizes=(), solver="lm", alpha=0.0, max_iter=1000, init="zeros", random_state=0, n_threads=1)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LinearRegression":
        """Trains on rows ``X`` with numbers ``y`` (rows, or rows x numbers)."""
        kinds = (np.float64, np.float32)
        X, y = validate_data(self, X, y, accept_sparse=["csr", "csc"], multi_output=True, y_numeric=True, dtype=kinds, order="C")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        kept = X.dtype
        # Sparse rows stay where they are: their zeros would be none.
        is_sparse = hasattr(X, "indptr")
        X, Y = X.astype(np.float64), np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        centres = self.fit_intercept and not is_sparse
        shift, scale = _moments(X, weights, centres)
        # y is centred even of sparse rows: a constant can take that up.
        y_shift, y_scale = _moments(Y, weights, bool(self.fit_intercept))
        scaled = X.multiply(1 / scale).tocsr() if is_sparse else (X - shift) / scale
        mlp = self._network()
        mlp._has_bias = bool(self.fit_intercept)
        mlp.fit(scaled, ((Y - y_shift) / y_scale)[:, 0] if Y.shape[1] == 1 else (Y - y_shift) / y_scale, weights)
        coef = mlp.coefs_[0] * y_scale / scale[:, np.newaxis]
        bias = mlp.intercepts_[0] * y_scale + y_shift - shift @ coef if self.fit_intercept else np.zeros(0)
        if kept != np.float64:
            mlp._begin(X.shape[1], Y.shape[1], kept, [])
            mlp.n_iter_ = 1
        mlp.set_weights([coef], [bias])
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(mlp, name, getattr(self, name))
        self._mlp = mlp
        self._take_over()
        return self

    def _take_over(self) -> None:
        super()._take_over()
        if self._mlp._columns == 1:
            self.coef_, self.intercept_ = self.coef_[0], self.intercept_[0]

    def predict(self, X: Any) -> np.ndarray:
        """The number of each row, or rows x numbers."""
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores


#: The estimators of this file.
NAMES = ("LinearRegression", "LogisticRegression", "Perceptron")


def _moments(columns: Any, weights: np.ndarray | None, centres: bool) -> tuple[np.ndarray, np.ndarray]:
    """What is taken from each column, and what it is then divided by: weighted means and deviations; 1 for one that is constant."""
    total = float(columns.shape[0]) if weights is None else float(weights.sum())
    mean = lambda rows: np.asarray(rows.sum(axis=0) if weights is None else rows.T @ weights).ravel() / total  # noqa: E731
    shift = mean(columns) if centres else np.zeros(columns.shape[1])
    squares = columns.multiply(columns) if hasattr(columns, "indptr") else (columns - shift) ** 2
    scale = np.sqrt(mean(squares))
    return shift, np.where(scale > 0, scale, 1.0)


def _one_column(y: Any) -> Any:
    """Refuses several labels at once, which these have no word for."""
    shape = np.asarray(y).shape
    if len(shape) == 2 and shape[1] > 1:
        raise ValueError("Multioutput target data is not supported: y must be one column of classes.")
    return y


def of(name: str, mlp: Any) -> Any:
    """The estimator of that name around a network that was loaded."""
    kinds = {kind.__name__: kind for kind in (LogisticRegression, Perceptron, LinearRegression)}
    estimator = kinds[name]()
    estimator.fit_intercept = mlp._net.describe()[1][0][2]
    estimator._mlp = mlp
    return estimator
