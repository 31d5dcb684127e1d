"""The estimators: scikit-learn's multilayer perceptrons by their names, parameters and attributes, on deltarule's engine."""

from __future__ import annotations

import functools
import warnings
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from . import _deltarule, _settings
from ._files import FilesMixin

#: Rows of a batch times parameters below which a second thread gains nothing: a training step takes some ten microseconds.
_WORTH_THREADS = 2_000_000

_STALLED = {
    False: "Training loss did not improve more than tol={tol} for {n} consecutive epochs. ",
    True: "Validation score did not improve more than tol={tol} for {n} consecutive epochs. ",
}


#: Figures of which less is better.
_FALLING = ("log_loss", "hamming_loss", "rmse", "mae")


def _whole_or_not_at_all(method: Any) -> Any:
    """A fit that fails leaves the estimator as it was; what a callback raises ends a fit that keeps what was learnt."""

    @functools.wraps(method)
    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(self.__dict__)
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            if self.__dict__.pop("_raised", None) is not error:
                self.__dict__.clear()
                self.__dict__.update(before)
            raise

    return fit


def _is_stepping(estimator: Any) -> bool:
    """Whether the solver learns in passes over mini-batches, of which ``partial_fit`` is one."""
    if estimator.solver not in _settings.STEPPING:
        raise AttributeError(f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic.")
    return True


class _Network(FilesMixin, BaseEstimator):
    """What classifiers and regressors share: the rows' way into the engine, and what comes back."""

    _parameter_constraints: dict[str, list[Any]] = dict(_settings.CONSTRAINTS)

    # -- what a subclass says ------------------------------------------------------------------------------------------

    def _encode(self, y: np.ndarray, dtype: Any) -> np.ndarray:
        """The targets as the network is trained on them: rows x outputs."""
        raise NotImplementedError

    def _target(self) -> tuple[str, list[str]]:
        """What is predicted, for the engine: ``classes``, ``labels`` or ``numbers``, and their names."""
        raise NotImplementedError

    # -- rows ----------------------------------------------------------------------------------------------------------

    @staticmethod
    def _rows(X: Any) -> Any:
        """Rows as the engine borrows them: an array, or the parts of a sparse matrix."""
        if hasattr(X, "indptr"):
            X = X.tocsr()
            return _whole(X.data), X.indices.astype(np.int64), X.indptr.astype(np.int64), X.shape[1]
        return _whole(X)

    def _forward(self, X: Any) -> np.ndarray:
        """The network's outputs."""
        known = self.__dict__
        if "_net" not in known:
            check_is_fitted(self)
        net, count = known["_net"], _settings.threads(self.n_threads)
        if type(X) is np.ndarray and X.ndim == 2 and X.dtype == known["_dtype"] and X.flags.c_contiguous and X.flags.aligned:
            if X.shape[1] == self.n_features_in_ and X.shape[0] > 0 and "feature_names_in_" not in known:
                # Nothing is left to check but that all is finite, which the engine does as it reads.
                outputs = _engine(net.predict, X, count, True)
                if outputs is not None:
                    return outputs
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=net.dtype, order="C", reset=False)
        return _engine(net.predict, self._rows(X), count, False)

    # -- training ------------------------------------------------------------------------------------------------------

    def _begin(self, inputs: int, outputs: int, dtype: Any, means: list[float]) -> None:
        """A new network; what happened to the last one is forgotten."""
        described = _settings.layers(self, inputs, outputs, self._output_activation())
        self._seed = self._drawn_seed()
        if self._seed < 0:
            raise ValueError(f"random_state: expected a whole number of at least 0, got {self._seed}.")
        self._adopt(_deltarule.Network(inputs, described, self.init, self._seed, np.dtype(dtype).name, means))

    def _adopt(self, net: Any) -> None:
        """A network of which nothing has happened here yet."""
        _, layers = net.describe()
        self._net, self._dtype = net, np.dtype(net.dtype)
        self.n_layers_, self.n_outputs_ = len(layers) + 1, layers[-1][0]
        self.n_iter_ = 0
        self._epochs = 0
        self.t_ = 0
        self.loss_curve_: list[float] = []
        self.validation_loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = None
        self.best_validation_score_ = None
        self.best_loss_ = np.inf

    def _drawn_seed(self) -> int:
        """The seed that ``random_state`` is, or one drawn from it."""
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _check_same(self, inputs: int, outputs: int) -> None:
        """Refuses to go on with a network of another shape than the parameters say."""
        known = self._net.describe()
        said = _deltarule.describe(inputs, _settings.layers(self, inputs, outputs, self._output_activation()))
        if known != said:
            raise ValueError(
                "warm_start can only be used with the network that was trained: expected "
                f"{_words(known)}, got {_words(said)}. Set warm_start to False to begin anew."
            )

    def _weights(self, sample_weight: Any, X: Any, y: np.ndarray) -> np.ndarray | None:
        """What each row counts; None if all count alike."""
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
        if getattr(self, "class_weight", None) is not None:
            of_classes = compute_sample_weight(self.class_weight, y).astype(X.dtype)
            weights = of_classes if weights is None else weights * of_classes
        return weights

    def _fit(
        self, X: Any, y: np.ndarray, sample_weight: Any, validation: Any, incremental: bool
    ) -> "_Network":
        weights = self._weights(sample_weight, X, y)
        if weights is not None:
            counted = weights > 0
            if not counted.any():
                raise ValueError("sample_weight: expected a weight above 0, found none.")
            if not counted.all():
                # A row that counts for nothing is none.
                X, y, weights = X[counted], y[counted], weights[counted]
        rows = X.shape[0]
        judged, parts = validation, None
        if judged is None and self.early_stopping and not incremental:
            parts = self._held_back(y)
        encoded = self._encode(y, X.dtype)
        if parts is not None:
            train, test = parts
            judged = (X[test], encoded[test], None if weights is None else weights[test])
            X, encoded, weights = X[train], encoded[train], None if weights is None else weights[train]
            rows = X.shape[0]
        goes_on = hasattr(self, "_net") and (self.warm_start or incremental)
        if goes_on:
            self._check_same(X.shape[1], encoded.shape[1])
        else:
            self._begin(X.shape[1], encoded.shape[1], X.dtype, self._means(encoded, weights))
        X, encoded, weights = self._cast(X, encoded, weights)
        if judged is not None:
            judged = self._cast(*judged)
        batch = min(200, rows) if self.batch_size == "auto" else int(self.batch_size)
        if batch > rows:
            warnings.warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped.", stacklevel=4)
            batch = rows
        if self.solver not in _settings.STEPPING:
            batch = rows
        # scikit-learn's penalty is alpha over the weight of the rows that a step averages over.
        mean_weight = 1.0 if weights is None else float(np.mean(weights, dtype=np.float64))
        l2 = float(self.alpha) / (batch * mean_weight)
        # Each fit of a warm start has orders of its own.
        seed = self._seed if incremental else self._seed + self._epochs
        kind, names = self._target()
        chosen = _settings.settings(self, self._loss(), batch, l2, seed, kind, names)
        if judged is None and self.monitor is not None:
            raise ValueError(f"monitor={self.monitor!r} without rows held back: early_stopping=True or validation_data.")
        if incremental:
            # What an optimiser remembers is of its kind alone.
            memory = (self.solver, self.ema is not None, self.momentum != 0, self.solver_options)
            if getattr(self, "_memory", memory) != memory:
                self._net.forget()
            self._memory = memory
        if self.n_threads is None and batch * self._net.parameters < _WORTH_THREADS:
            # The bits are the same, and starting threads takes longer than they would save.
            chosen["threads"] = 1
        if judged is not None and chosen["monitor"] is None:
            chosen["monitor"] = "r2" if kind == "numbers" else "accuracy"
        if self.label_smoothing_ > 0:
            # A copy: it may be the caller's array. Labels do not exclude each other: each is one of two by itself.
            encoded = np.array(encoded, order="C")
            _deltarule.smooth_labels(encoded.reshape(-1, 1) if kind == "labels" else encoded, float(self.label_smoothing_))
        if judged is not None:
            judged = (self._rows(judged[0]), _whole(judged[1]), _whole(judged[2]))
        try:
            history, raised = self._net.fit(
                self._rows(X), _whole(encoded), _whole(weights), chosen, judged, self._callback(chosen, judged, incremental), incremental
            )
        except _deltarule.DivergenceError as error:
            message = "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
            raise _deltarule.DivergenceError(f"{message} ({error})") from None
        self._take_in(history, rows, incremental, judged is not None)
        if raised is not None:
            if not isinstance(raised, KeyboardInterrupt):
                self._raised = raised
                raise raised
            warnings.warn("Training interrupted by user.", stacklevel=4)
        return self

    def _cast(self, X: Any, encoded: np.ndarray, weights: np.ndarray | None) -> tuple[Any, np.ndarray, np.ndarray | None]:
        """Rows in the network's type."""
        cast = self._dtype
        return X.astype(cast, copy=False), encoded.astype(cast, copy=False), None if weights is None else weights.astype(cast, copy=False)

    def _take_in(self, history: dict[str, Any], rows: int, incremental: bool, is_judged: bool) -> None:
        """What happened, as attributes."""
        losses, validation, scores = history["training"], history["validation"], history["scores"]
        self.loss_curve_ = self.loss_curve_ + losses
        self.n_iter_ = len(self.loss_curve_) if incremental else len(losses)
        before, self._epochs = self._epochs, self._epochs + len(losses)
        self.t_ += rows * len(losses)
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else np.nan
        self.stopped_ = history["stopped"]
        self.validation_loss_curve_ = self.validation_loss_curve_ + validation
        if is_judged:
            self.validation_scores_ = (self.validation_scores_ or []) + scores
            best = min if self.monitor in _FALLING else max
            self.best_validation_score_ = best(self.validation_scores_, default=None)
            self.best_loss_ = None
            self.n_iter_kept_ = before + history["kept"]
        elif self.loss_curve_:
            self.best_loss_ = min(self.loss_curve_)
        if self.verbose and history["stopped"] in ("training_stalled", "validation_stalled"):
            print(_STALLED[is_judged].format(tol=self.tol, n=self.n_iter_no_change) + "Stopping.")
        if not incremental and history["stopped"] == "epochs" and self.solver in _settings.STEPPING:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=5,
            )
        elif history["stopped"] == "epochs" and not incremental:
            warnings.warn(
                f"{self.solver} failed to converge after {self.n_iter_} iteration(s): max_iter={self.max_iter}"
                f"{f' or max_fun={self.max_fun}' if self.solver == 'lbfgs' else ''} was reached. "
                "Increase it, or scale the data (sklearn.preprocessing.StandardScaler).",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _callback(self, chosen: dict[str, Any], judged: Any, incremental: bool) -> Any:
        """What is called after each epoch, if anybody wants to know."""
        callbacks = self.callbacks or []
        callbacks = [callbacks] if callable(callbacks) else list(callbacks)
        if not callbacks and not self.verbose:
            return None
        kind = chosen["target"]
        figures = {
            "classes": ("accuracy", "balanced_accuracy", "log_loss"),
            "labels": ("accuracy", "hamming_loss", "f1_macro", "f1_micro", "log_loss"),
            "numbers": ("r2", "rmse", "mae"),
        }[kind]
        # Passes of partial fits are counted on.
        passes = self._epochs + 1

        def tell(number: int, loss: float, validation_loss: float | None, rate: float, scores: list[float]) -> bool:
            number = passes if incremental else number
            epoch = {
                "epoch": number,
                "loss": loss,
                "validation_loss": validation_loss,
                "learning_rate": rate,
                "scores": dict(zip(figures, scores)),
            }
            if self.verbose:
                print("Iteration %d, loss = %.8f" % (number, loss))
                if judged is not None:
                    print("Validation score: %f" % epoch["scores"].get(chosen["monitor"], np.nan))
            # All are told, whatever one of them wants.
            return any([bool(callback(epoch)) for callback in callbacks])

        return tell

    def _held_back(self, y: np.ndarray) -> tuple[list[int], list[int]]:
        """The rows to train on and those to judge by: the same as the command's for this seed."""
        rows, classes, labels = y.shape[0], None, []
        kind, names = self._target()
        if kind == "classes":
            found = np.searchsorted(self.classes_, y.ravel())
            counts = np.bincount(found, minlength=len(self.classes_))
            # A class of one row cannot be on both sides.
            lonely = (counts > 0) & (counts < 2)
            if not lonely.any():
                classes, labels = found.tolist(), names
            elif len(self.classes_) == 2:
                few = [str(bool(i)) for i in np.flatnonzero(lonely)]
                raise ValueError(
                    "The least populated classes in y have only 1 member, which is too few: the minimum number of groups for any class "
                    f"cannot be less than 2. Classes with too few members are: {few}"
                )
        if rows * self.validation_fraction < 1 or rows < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        is_fixed = isinstance(self.random_state, (int, np.integer))
        seed = self._drawn_seed() if is_fixed or not hasattr(self, "_seed") else self._seed
        return _deltarule.hold_back(rows, classes, labels, float(self.validation_fraction), seed)

    def _means(self, encoded: np.ndarray, weights: np.ndarray | None) -> list[float]:
        """The means of counts, whose logarithms the last biases begin as; of other targets nothing."""
        if self._loss() != "poisson":
            return []
        return np.average(encoded.astype(np.float64), axis=0, weights=weights).tolist()

    label_smoothing_ = 0.0

    # -- what is inside ------------------------------------------------------------------------------------------------

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, inputs x units. Copies, not to be written to: ``set_weights`` changes them."""
        return self._tensors(self._net_or_raise().weights)

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer. Copies, not to be written to: ``set_weights`` changes them."""
        return self._tensors(self._net_or_raise().bias)

    def _net_or_raise(self) -> Any:
        if not hasattr(self, "_net"):
            raise AttributeError(f"this {type(self).__name__} is not fitted: it has no weights yet")
        return self._net

    def _tensors(self, of_layer: Any) -> list[np.ndarray]:
        tensors = [_engine(of_layer, layer) for layer in range(self.n_layers_ - 1)]
        for tensor in tensors:
            tensor.flags.writeable = False
        return tensors

    def set_weights(self, coefs: list[np.ndarray], intercepts: list[np.ndarray]) -> "_Network":
        """Replaces all weights and biases of a fitted network without norms, shaped as ``coefs_`` and ``intercepts_``."""
        known = list(zip(self.coefs_, self.intercepts_))
        if len(coefs) != len(known) or len(intercepts) != len(known):
            raise ValueError(f"expected the weights and biases of {len(known)} layers, got {len(coefs)} and {len(intercepts)}.")
        if self.norm is not None:
            raise ValueError("set_weights has no scales and shifts of norms: this network has some.")
        flat = []
        for layer, (coef, intercept) in enumerate(zip(coefs, intercepts)):
            for what, given, has in (("coefs", coef, known[layer][0]), ("intercepts", intercept, known[layer][1])):
                given = np.asarray(given)
                if given.shape != has.shape:
                    raise ValueError(f"{what}[{layer}]: expected the shape {has.shape}, got {given.shape}.")
                flat.append(given.astype(self._net.dtype).ravel())
        self._net.set_params(np.concatenate(flat))
        return self

    @property
    def out_activation_(self) -> str:
        """The output's activation, by scikit-learn's name."""
        name = self._net_or_raise().describe()[1][-1][1]
        return {"sigmoid": "logistic", "exponential": "exp"}.get(name, name)

    @property
    def parameters_sha256_(self) -> str:
        """The SHA-256 of all parameters: the same numbers, seed, type and settings have the same, here, in Rust and from the command."""
        return _engine(self._net_or_raise().sha256)

    def __sklearn_is_fitted__(self) -> bool:
        return "_net" in self.__dict__

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _engine(call: Any, *args: Any) -> Any:
    """A call of the engine, with better words where a fit has the network."""
    try:
        return call(*args)
    except RuntimeError as error:
        if "borrowed" not in str(error):
            raise
        raise RuntimeError(
            "this network is being trained: it can be looked at between two fits, not in a callback nor from another thread meanwhile"
        ) from None


def _whole(array: Any) -> Any:
    """The array as the engine borrows it, in one piece and aligned: itself if it is so; None stays None."""
    return None if array is None else np.require(array, requirements=["C", "A"])


def _words(described: Any) -> str:
    inputs, layers = described
    widths = "-".join(str(n) for n in (inputs, *(layer[0] for layer in layers)))
    return f"{widths} ({', '.join(layer[1] + ('' if layer[2] else ' without biases') for layer in layers)})"


class MLPClassifier(ClassifierMixin, _Network):
    """A multilayer perceptron for classes, or for several labels at once.

    Every parameter, attribute and method of :class:`sklearn.neural_network.MLPClassifier` under the same name with the same default; the
    parameters from ``loss`` on are ours. ``docs/python.md`` lists the differences.

    Parameters
    ----------
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter, shuffle, \
random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping, validation_fraction, beta_1, beta_2, epsilon, \
n_iter_no_change, max_fun
        As scikit-learn's. ``activation`` is one name or one for each hidden layer, of identity, logistic (sigmoid), tanh, relu,
        leaky_relu[=slope], elu[=alpha], selu, softplus, silu, gelu, gelu_tanh, exponential. ``solver`` is also adamw, amsgrad, nadam,
        rmsprop, adagrad, adadelta, lion (mini-batches), rprop, scg, lm and bayes (all rows). ``early_stopping`` holds for all of them.
    loss : str, default="log_loss"
        log_loss, focal[=gamma] (of several classes softmax_focal), hinge, squared_hinge, squared_error.
    class_weight : dict, "balanced" or None, default=None
        What the rows of each class count, beside ``sample_weight``.
    label_smoothing : float in [0, 1), default=0
        The share of each row's label that is spread over all classes.
    norm : {"batch", "layer"} or None, default=None
        What becomes of hidden layers' weighted sums before their activation.
    dropout, input_dropout : float in [0, 1), default=0
        The share of hidden units (one for all layers, or a list) and of inputs that is dropped in training.
    input_noise : float, default=0
        The standard deviation of what is added to the inputs in training.
    l1, weight_decay : float
        A penalty on absolute weights; the decay of adamw and lion.
    solver_options : dict or None, default=None
        Other constants of the solver: ``{"rho": 0.9}`` of rmsprop, ``{"momentum_decay": 0.004}`` of nadam.
    schedule : str or None, default=None
        What becomes of the learning rate, for every solver with mini-batches: cosine, one_cycle, step=30,0.1, exponential=0.95,
        plateau, inverse_scaling, adaptive.
    warm_up : int, default=0
        Epochs over which the rate first rises.
    clip_norm, clip_value : float or None, default=None
        How long a gradient, how large one of its components may be.
    ema, swa : float, int or None, default=None
        Keep a moving average of the parameters with this decay, or their mean from this epoch on.
    max_norm : float or None, default=None
        The largest norm of the weights into a hidden unit.
    init : str or None, default=None
        glorot_uniform, he_normal, nguyen_widrow, …; by each layer's activation if None.
    output_activation : str or None, default=None
        The output's activation, if not the one that the loss and the classes ask for.
    monitor : str or None, default=None
        What is watched on the rows held back: accuracy (if None), balanced_accuracy, log_loss.
    target_loss, time_limit : float or None, default=None
        Stop once the loss is this low, or after so many seconds.
    watch_gradients : int or None, default=None
        Hold the gradient of every so many steps against central differences, and fail where one is wrong.
    callbacks : callable or list of them, default=None
        Called after each epoch with a dict of epoch, loss, validation_loss, learning_rate and scores; a true value ends the training.
    gemm : str, default="embedded"
        Who multiplies matrices: embedded, or a BLAS library by its name or path.
    n_threads : int or None, default=None
        0 means one for each core; None means ``OMP_NUM_THREADS``, or all. The result has the same bits for any number.

    Attributes
    ----------
    classes_, loss_, best_loss_, loss_curve_, validation_scores_, best_validation_score_, t_, coefs_, intercepts_, n_features_in_, \
feature_names_in_, n_iter_, n_layers_, n_outputs_, out_activation_
        As scikit-learn's; ``loss_curve_`` is without the penalty.
    validation_loss_curve_ : list of float
        The loss on the rows held back after each epoch.
    stopped_ : str
        Why the training ended.
    parameters_sha256_ : str
        The hash of all parameters.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from deltarule import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), MLPClassifier((10,), solver="lbfgs", random_state=0)).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **_Network._parameter_constraints,
        "loss": [str],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: int = 15000,
        loss: str = "log_loss",
        class_weight: Any = None,
        label_smoothing: float = 0.0,
        norm: str | None = None,
        dropout: Any = 0.0,
        input_dropout: float = 0.0,
        input_noise: float = 0.0,
        l1: float = 0.0,
        weight_decay: float | None = None,
        solver_options: dict[str, float] | None = None,
        schedule: str | None = None,
        warm_up: int = 0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        ema: float | None = None,
        swa: int | None = None,
        max_norm: float | None = None,
        init: str | None = None,
        output_activation: str | None = None,
        monitor: str | None = None,
        target_loss: float | None = None,
        time_limit: float | None = None,
        watch_gradients: int | None = None,
        callbacks: Any = None,
        gemm: str = "embedded",
        n_threads: int | None = None,
    ) -> None:
        for name, value in locals().items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    # -- classes -------------------------------------------------------------------------------------------------------

    def _output_activation(self) -> str:
        if self.output_activation is not None:
            return str(self.output_activation)
        if "hinge" in self.loss:
            return "identity"
        return "softmax" if self._kind == "classes" and len(self.classes_) > 2 else "sigmoid"

    def _loss(self) -> str:
        several = self._output_activation() == "softmax"
        if self.loss == "log_loss":
            return "softmax_cross_entropy" if several else "logistic_cross_entropy"
        name, equals, constant = self.loss.partition("=")
        return "softmax_focal" + equals + constant if name == "focal" and several else self.loss

    def _target(self) -> tuple[str, list[str]]:
        names = [str(label) for label in self.classes_]
        # One class alone is the first of two.
        return self._kind, names if self._kind == "labels" or len(names) > 1 else [*names, f"not {names[0]}"]

    @property
    def label_smoothing_(self) -> float:
        return self.label_smoothing

    def _encode(self, y: np.ndarray, dtype: Any) -> np.ndarray:
        if self._kind == "labels":
            return np.asarray(y, dtype=dtype)
        found = np.searchsorted(self.classes_, y)
        if len(self.classes_) <= 2 and self._output_activation() != "softmax":
            return (found == 1).astype(dtype)[:, np.newaxis]
        encoded = np.zeros((len(found), len(self.classes_)), dtype=dtype)
        encoded[np.arange(len(found)), found] = 1
        return encoded

    def _validated(self, X: Any, y: Any, reset: bool, classes: Any = None) -> tuple[Any, np.ndarray]:
        X, y = validate_data(
            self, X, y, accept_sparse=["csr", "csc"], multi_output=True, dtype=(np.float64, np.float32), order="C", reset=reset
        )
        if hasattr(X, "indptr"):
            X = X.tocsr()
        if hasattr(y, "toarray"):
            y = y.toarray()
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind.startswith("multiclass-multioutput"):
            raise ValueError("Multioutput target data is not supported: several columns must be labels of 0 and 1.")
        if kind == "multilabel-indicator":
            kind, found = "labels", np.arange(y.shape[1])
        else:
            y, kind = column_or_1d(y, warn=True), "classes"
            found = unique_labels(y)
        if classes is not None:
            self._kind, self.classes_ = kind, unique_labels(classes)
        if reset and classes is None:
            goes_on = self.warm_start and hasattr(self, "_net")
            if goes_on and set(self.classes_) != set(found):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                    f"Previously got {self.classes_}, `y` has {found}"
                )
            self._kind, self.classes_ = kind, found
        elif kind == "labels":
            if self._kind != "labels" or len(found) != len(self.classes_):
                raise ValueError(f"`y` has {len(found)} labels, the network {len(self.classes_)}.")
        elif len(np.setdiff1d(found, self.classes_, assume_unique=True)):
            raise ValueError(f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {found}.")
        return X, y

    @_fit_context(prefer_skip_nested_validation=True)
    @_whole_or_not_at_all
    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> "MLPClassifier":
        """Trains on rows ``X`` (dense or sparse) with classes ``y``, or labels (rows x labels of 0 and 1).

        ``validation_data``: ``(X, y)`` or ``(X, y, sample_weight)`` that judges the training, in place of rows held back: it ends where
        their ``monitor`` stalls, and the best parameters are kept. Training on float32 is in float32.
        """
        X, y = self._validated(X, y, reset=True)
        return self._fit(X, y, sample_weight, self._judges(validation_data), False)

    def _judges(self, validation_data: Any) -> Any:
        if validation_data is None:
            return None
        X, y, *weights = validation_data
        X, y = self._validated(X, y, reset=False)
        weights = self._weights(weights[0] if weights else None, X, y)
        return X, self._encode(y, X.dtype), weights

    @available_if(_is_stepping)
    @_fit_context(prefer_skip_nested_validation=True)
    @_whole_or_not_at_all
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> "MLPClassifier":
        """One pass over the given rows. ``classes``: all there will be, in the first call."""
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        if self.class_weight == "balanced":
            raise ValueError("class_weight='balanced' is not supported for partial_fit, which never sees all rows: give the weights.")
        is_first = not hasattr(self, "classes_")
        if is_first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if not is_first and classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ValueError(f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {self.classes_!r}")
        X, y = self._validated(X, y, reset=is_first, classes=classes if is_first else None)
        if len(np.setdiff1d(unique_labels(y), self.classes_)) and self._kind == "classes":
            raise ValueError(f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {unique_labels(y)}.")
        return self._fit(X, y, sample_weight, None, True)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row; of several labels 0 or 1 for each."""
        outputs = self._forward(X)
        half = 0.0 if "hinge" in self.loss else 0.5
        if self._kind == "labels":
            return (outputs > half).astype(int)
        if outputs.shape[1] == 1:
            return self.classes_[(outputs[:, 0] > half).astype(np.intp) * (len(self.classes_) > 1)]
        return self.classes_[outputs.argmax(axis=1)]

    @available_if(lambda self: "hinge" not in self.loss)
    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class (rows x classes), or of each label."""
        outputs = self._forward(X)
        if self._kind == "labels":
            return outputs
        if len(self.classes_) == 1:
            return np.ones_like(outputs)
        if outputs.shape[1] == 1:
            return np.hstack([1 - outputs, outputs])
        if self.out_activation_ != "softmax":
            return outputs / outputs.sum(axis=1, keepdims=True)
        return outputs

    @available_if(lambda self: "hinge" not in self.loss)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithms of the probabilities."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @available_if(lambda self: "hinge" in self.loss)
    def decision_function(self, X: Any) -> np.ndarray:
        """The scores that a hinge loss trains: of two classes one, the second class's."""
        outputs = self._forward(X)
        return outputs[:, 0] if outputs.shape[1] == 1 and self._kind == "classes" else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MLPRegressor(RegressorMixin, _Network):
    """A multilayer perceptron for one number or several.

    Every parameter, attribute and method of :class:`sklearn.neural_network.MLPRegressor` under the same name with the same default;
    the parameters after ``max_fun`` are those of :class:`MLPClassifier`, where they have a meaning.

    Parameters
    ----------
    loss : str, default="squared_error"
        squared_error, poisson, absolute_error, huber[=delta], quantile[=share], log_cosh.
    monitor : str or None, default=None
        What is watched on the rows held back: r2 (if None), rmse, mae.

    Examples
    --------
    >>> import numpy as np
    >>> from deltarule import MLPRegressor
    >>> X = np.linspace(0, 1, 200)[:, None]
    >>> model = MLPRegressor(hidden_layer_sizes=10, activation="tanh", solver="lm", alpha=0, random_state=0).fit(X, np.sin(6 * X[:, 0]))
    >>> bool(model.score(X, np.sin(6 * X[:, 0])) > 0.999)
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {**_Network._parameter_constraints, "loss": [str]}

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: int = 15000,
        norm: str | None = None,
        dropout: Any = 0.0,
        input_dropout: float = 0.0,
        input_noise: float = 0.0,
        l1: float = 0.0,
        weight_decay: float | None = None,
        solver_options: dict[str, float] | None = None,
        schedule: str | None = None,
        warm_up: int = 0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        ema: float | None = None,
        swa: int | None = None,
        max_norm: float | None = None,
        init: str | None = None,
        output_activation: str | None = None,
        monitor: str | None = None,
        target_loss: float | None = None,
        time_limit: float | None = None,
        watch_gradients: int | None = None,
        callbacks: Any = None,
        gemm: str = "embedded",
        n_threads: int | None = None,
    ) -> None:
        for name, value in locals().items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    def _output_activation(self) -> str:
        if self.output_activation is not None:
            return str(self.output_activation)
        return "exponential" if self.loss == "poisson" else "identity"

    def _loss(self) -> str:
        return self.loss

    def _target(self) -> tuple[str, list[str]]:
        count = self._columns
        return "numbers", ["target"] if count == 1 else [f"target {i + 1}" for i in range(count)]

    def _encode(self, y: np.ndarray, dtype: Any) -> np.ndarray:
        return np.asarray(y, dtype=dtype).reshape(len(y), -1)

    def _validated(self, X: Any, y: Any, reset: bool) -> tuple[Any, np.ndarray]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=True,
            dtype=(np.float64, np.float32),
            order="C",
            reset=reset,
        )
        if hasattr(X, "indptr"):
            X = X.tocsr()
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if self.loss == "poisson" and np.any(y < 0):
            row = int(np.argmax(np.asarray(y).reshape(len(y), -1).min(axis=1) < 0))
            raise ValueError(f"Some value(s) of y are out of the valid range of the loss 'poisson': y[{row}] is {y[row]}.")
        return X, y

    @_fit_context(prefer_skip_nested_validation=True)
    @_whole_or_not_at_all
    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> "MLPRegressor":
        """Trains on rows ``X`` (dense or sparse) with numbers ``y`` (rows, or rows x numbers).

        ``validation_data`` as in :meth:`MLPClassifier.fit`. Training on float32 is in float32.
        """
        X, y = self._validated(X, y, reset=True)
        self._columns = 1 if y.ndim == 1 else y.shape[1]
        if validation_data is not None:
            judged_X, judged_y, *weights = validation_data
            judged_X, judged_y = self._validated(judged_X, judged_y, reset=False)
            weights = self._weights(weights[0] if weights else None, judged_X, judged_y)
            validation_data = judged_X, self._encode(judged_y, judged_X.dtype), weights
        return self._fit(X, y, sample_weight, validation_data, False)

    @available_if(_is_stepping)
    @_fit_context(prefer_skip_nested_validation=True)
    @_whole_or_not_at_all
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "MLPRegressor":
        """One pass over the given rows."""
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        X, y = self._validated(X, y, reset=not hasattr(self, "_net"))
        self._columns = 1 if y.ndim == 1 else y.shape[1]
        return self._fit(X, y, sample_weight, None, True)

    def predict(self, X: Any) -> np.ndarray:
        """The number of each row, or rows x numbers."""
        outputs = self._forward(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs
