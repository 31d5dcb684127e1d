"""From an estimator's parameters to the settings of a training, which the engine reads by name."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

#: Solvers that step after each mini-batch, in the library's names.
STEPPING = ("adam", "sgd", "adamw", "amsgrad", "nadam", "rmsprop", "adagrad", "adadelta", "lion")
#: Solvers that look at all rows before each move; "perceptron" goes row by row, for one layer of threshold units.
WHOLE_BATCH = ("lbfgs", "rprop", "scg", "lm", "bayes")

_ADAM = ("adam", "adamw", "amsgrad", "nadam")

#: What every parameter may be, as scikit-learn checks it.
CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [str, list, tuple],
    "solver": [StrOptions(set(STEPPING + WHOLE_BATCH + ("perceptron",)))],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [
        Interval(Integral, 1, None, closed="left"),
        # scikit-learn's word for never.
        Options(Real, {np.inf}),
    ],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    # Ours.
    "norm": [StrOptions({"batch", "layer"}), None],
    "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    "input_dropout": [Interval(Real, 0, 1, closed="left")],
    "input_noise": [Interval(Real, 0, None, closed="left")],
    "l1": [Interval(Real, 0, None, closed="left")],
    "weight_decay": [Interval(Real, 0, None, closed="left"), None],
    "solver_options": [dict, None],
    "schedule": [str, None],
    "warm_up": [Interval(Integral, 0, None, closed="left")],
    "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
    "clip_value": [Interval(Real, 0, None, closed="neither"), None],
    "ema": [Interval(Real, 0, 1, closed="left"), None],
    "swa": [Interval(Integral, 1, None, closed="left"), None],
    "max_norm": [Interval(Real, 0, None, closed="neither"), None],
    "init": [str, None],
    "output_activation": [str, None],
    "monitor": [str, None],
    "target_loss": [Real, None],
    "time_limit": [Interval(Real, 0, None, closed="left"), None],
    "watch_gradients": [Interval(Integral, 1, None, closed="left"), None],
    "callbacks": [list, tuple, callable, None],
    "gemm": [str],
    "n_threads": [Interval(Integral, 0, None, closed="left"), None],
}


def threads(n_threads: int | None) -> int:
    """How many threads: those asked for; else ``OMP_NUM_THREADS``, which joblib sets in its workers; else all (0)."""
    if n_threads is not None:
        return int(n_threads)
    try:
        return max(0, int(os.environ.get("OMP_NUM_THREADS", "0").split(",")[0]))
    except ValueError:
        return 0


def hidden(sizes: Any) -> list[int]:
    """The widths of the hidden layers."""
    widths = np.atleast_1d(np.asarray(sizes, dtype=object)).tolist()
    if any(isinstance(width, (bool, np.bool_)) or not isinstance(width, Integral) for width in widths):
        raise ValueError(f"hidden_layer_sizes must be whole numbers, got {sizes!r}.")
    widths = [int(width) for width in widths]
    if any(width <= 0 for width in widths):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {widths}.")
    return widths


def layers(estimator: Any, inputs: int, outputs: int, output_activation: str) -> list[tuple[int, str, bool, str]]:
    """Each layer as the engine is told of it: units, activation, whether it has biases, norm."""
    widths, activation = hidden(estimator.hidden_layer_sizes), estimator.activation
    names = [activation] * len(widths) if isinstance(activation, str) else list(activation)
    if len(names) != len(widths):
        raise ValueError(f"activation: expected one name or {len(widths)} of them, one for each hidden layer, got {len(names)}.")
    norm = estimator.norm or "none"
    # What a bias would shift all rows by, the mean over them takes away.
    described = [(width, name, norm != "batch", norm) for width, name in zip(widths, names)]
    return [*described, (outputs, output_activation, getattr(estimator, "_has_bias", True), "none")]


def constants(estimator: Any) -> dict[str, float]:
    """The solver's constants."""
    solver, given = estimator.solver, {}
    if solver in _ADAM:
        given = {"beta1": estimator.beta_1, "beta2": estimator.beta_2, "epsilon": estimator.epsilon}
    elif solver == "sgd":
        given = {"momentum": estimator.momentum}
    if estimator.weight_decay is not None:
        given["weight_decay"] = estimator.weight_decay
    given.update(estimator.solver_options or {})
    return {name: float(value) for name, value in given.items()}


def schedule(estimator: Any) -> str:
    """What becomes of the learning rate: scikit-learn's ``learning_rate``, for sgd alone, or any of ours by ``schedule``."""
    if estimator.schedule is not None:
        if estimator.learning_rate != "constant":
            raise ValueError("schedule and learning_rate together: one of them says what becomes of the rate.")
        return str(estimator.schedule)
    if estimator.solver != "sgd" or estimator.learning_rate == "constant":
        return "constant"
    return f"inverse_scaling={float(estimator.power_t)!r}" if estimator.learning_rate == "invscaling" else "adaptive"


def settings(estimator: Any, loss: str, batch: int, l2: float, seed: int, target: str, names: list[str]) -> dict[str, Any]:
    """Everything that the engine asks for."""
    never = np.isinf(estimator.n_iter_no_change)
    dropout = estimator.dropout
    dropout = [float(dropout)] if isinstance(dropout, Real) else [float(rate) for rate in dropout]
    is_lbfgs = estimator.solver == "lbfgs"
    return {
        "solver": estimator.solver,
        "constants": constants(estimator),
        "nesterov": bool(estimator.nesterovs_momentum),
        "loss": loss,
        "l1": float(estimator.l1),
        "l2": l2,
        "learning_rate": float(estimator.learning_rate_init),
        "schedule": schedule(estimator),
        "warm_up": int(estimator.warm_up),
        "clip_norm": estimator.clip_norm,
        "clip_value": estimator.clip_value,
        "ema": estimator.ema,
        "swa": estimator.swa,
        "epochs": int(estimator.max_iter),
        "batch": batch,
        "shuffle": bool(estimator.shuffle),
        "seed": seed,
        "tolerance": float(estimator.tol),
        # scikit-learn bears as many, and ends with the next.
        "patience": None if never else int(estimator.n_iter_no_change) + 1,
        "monitor": estimator.monitor,
        "target_loss": estimator.target_loss,
        "time_limit": estimator.time_limit,
        "gradient_tolerance": float(estimator.tol) if is_lbfgs else None,
        "function_tolerance": getattr(estimator, "_function_tolerance", None) if is_lbfgs else None,
        "max_evaluations": int(estimator.max_fun) if is_lbfgs else None,
        "dropout": [] if dropout == [0.0] else dropout,
        "input_dropout": float(estimator.input_dropout),
        "input_noise": float(estimator.input_noise),
        "max_norm": estimator.max_norm,
        "watch_gradients": estimator.watch_gradients,
        "gemm": estimator.gemm,
        "threads": threads(estimator.n_threads),
        "target": target,
        "target_names": names,
    }
