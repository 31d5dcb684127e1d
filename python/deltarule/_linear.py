"""One-layer networks by the names that scikit-learn's users know: the perceptron, logistic and linear regression."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

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
        mlp._has_bias = self.fit_intercept
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


class LogisticRegression(ClassifierMixin, _OneLayer):
    """Logistic regression: one sigmoid unit for two classes, a softmax for more, trained by L-BFGS to its one minimum.

    Parameters
    ----------
    C : float, default=1.0
        The inverse of the penalty on squared weights, as in scikit-learn; ``np.inf`` for none.
    tol : float, default=1e-4
        It ends where no component of the gradient is larger.
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

    def decision_function(self, X: Any) -> np.ndarray:
        """The weighted sums: of two classes one, the logarithm of their odds."""
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row."""
        scores = self._scores(X)
        if scores.shape[1] == 1:
            return self.classes_[(scores[:, 0] > 0).astype(np.intp) * (len(self.classes_) > 1)]
        return self.classes_[scores.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class."""
        check_is_fitted(self)
        return self._mlp.predict_proba(X)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithms of the probabilities."""
        check_is_fitted(self)
        return self._mlp.predict_log_proba(X)


class Perceptron(ClassifierMixin, _OneLayer):
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

    def decision_function(self, X: Any) -> np.ndarray:
        """The weighted sums: of two classes one, positive for the second."""
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    predict = LogisticRegression.predict


class LinearRegression(RegressorMixin, _OneLayer):
    """Least squares by one linear unit for each number, solved by Levenberg-Marquardt, in float64 whatever the input's type.

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
        return self._train(X, y, sample_weight)

    def _take_over(self) -> None:
        super()._take_over()
        if self._mlp._columns == 1:
            self.coef_, self.intercept_ = self.coef_[0], self.intercept_[0]

    def predict(self, X: Any) -> np.ndarray:
        """The number of each row, or rows x numbers."""
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores


def _one_column(y: Any) -> Any:
    """Refuses several labels at once, which these have no word for."""
    shape = np.asarray(y).shape
    if len(shape) == 2 and shape[1] > 1:
        raise ValueError("Multioutput target data is not supported: y must be one column of classes.")
    return y


def of(name: str, mlp: Any) -> Any:
    """The estimator of that name around a network that was loaded."""
    kinds = {kind.__name__: kind for kind in (LogisticRegression, Perceptron, LinearRegression)}
    if name not in kinds:
        return mlp
    estimator = kinds[name]()
    estimator.fit_intercept = mlp._net.describe()[1][0][2]
    estimator._mlp = mlp
    return estimator
