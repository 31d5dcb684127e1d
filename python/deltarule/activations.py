"""Activation functions on NumPy arrays: the very kernels that deltarule's networks run on.

Each is monotone where the function is, gives the same bits on every instruction set and wherever a value stands in its array, and is
computed to the accuracy its docstring states: the largest distance from the exact value in units in the last place (ulp), measured over
every ``float32`` and over 20 million ``float64``.

``float32`` and ``float64`` are kept; what else stands for real numbers (integers, booleans, lists, ``float16``, ``longdouble``) is
computed in ``float64``. Arrays of any shape and memory layout are taken; a number gives a number. NaN gives NaN.

``out`` is an array of the result's shape and type to write to; it may be ``x`` itself.

    >>> import numpy as np
    >>> from deltarule import activations
    >>> x = np.linspace(-3, 3, 7, dtype=np.float32)
    >>> activations.relu(x)
    array([0., 0., 0., 0., 1., 2., 3.], dtype=float32)
    >>> y, slope = activations.with_derivative(activations.tanh, x)
    >>> np.allclose(slope, 1 - y**2)
    True
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from ._deltarule import activate, activate_rows, activate_rows_backward, log_sum_exp

__all__ = [
    "apply",
    "derivative",
    "elu",
    "exp",
    "expm1",
    "exponential",
    "gelu",
    "gelu_tanh",
    "identity",
    "leaky_relu",
    "log",
    "log1p",
    "log_sigmoid",
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softmax_backward",
    "softplus",
    "step",
    "tanh",
    "with_derivative",
]

_NATIVE = (np.dtype(np.float32), np.dtype(np.float64))

# ------------------------------------------------------------------------------------------------------------------------------ arrays


def _array(x: Any, name: str = "x") -> np.ndarray:
    """The numbers as an array of one of the two types, contiguous; the caller's own where it is so already."""
    array = np.asarray(x)
    if not array.flags.aligned:
        array = array.copy()  # a field of packed records, say
    if array.dtype in _NATIVE and array.dtype.isnative:
        return np.ascontiguousarray(array).reshape(array.shape)
    kind = array.dtype.kind
    if kind == "f" and array.dtype.itemsize == 4:
        return np.ascontiguousarray(array, dtype=np.float32).reshape(array.shape)
    if kind not in "biufO":
        raise TypeError(f"{name}: expected real numbers, found an array of {array.dtype}")
    if kind == "O" and any(value is None for value in array.flat):
        raise TypeError(f"{name}: expected real numbers, found None")  # which NumPy takes for NaN
    try:
        return np.ascontiguousarray(array, dtype=np.float64).reshape(array.shape)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: expected real numbers, found an array of objects that are none: {error}") from None


def _check_out(out: Any, shape: tuple[int, ...], dtype: np.dtype, name: str = "out") -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{name}: expected a NumPy array, found {type(out).__name__}")
    if isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"{name}: expected an array without a mask, found a masked array")
    if out.shape != shape:
        raise ValueError(f"{name}: expected the shape {shape}, found {out.shape}")
    if out.dtype != dtype:
        raise TypeError(f"{name}: expected an array of {dtype}, found {out.dtype}")
    if not out.flags.writeable:
        raise ValueError(f"{name}: expected an array that may be written to, found a read-only one")


def _is_ready(out: np.ndarray) -> bool:
    """Whether a kernel can write there: in one piece, in this machine's byte order, aligned."""
    return out.flags.c_contiguous and out.flags.aligned and out.dtype.isnative


def _give(result: np.ndarray) -> Any:
    """A number for a number, as NumPy's own functions have it."""
    return result[()] if result.ndim == 0 else result


def _masked(x: np.ma.MaskedArray, result: np.ndarray) -> np.ma.MaskedArray:
    return np.ma.MaskedArray(result, mask=np.ma.getmaskarray(x).copy())


def _one(name: str, x: Any, out: np.ndarray | None, constant: float | None = None) -> Any:
    """A function of one number over an array."""
    if isinstance(x, np.ma.MaskedArray):
        if out is not None:
            raise TypeError("out: expected none for a masked array, whose result has a mask of its own")
        return _masked(x, np.asarray(_one(name, x.data, None, constant)))
    array = _array(x)
    if out is None:
        result = np.empty(array.shape, array.dtype)
        activate(name, constant, array.reshape(-1), result.reshape(-1))
        return _give(result)
    _check_out(out, array.shape, array.dtype)
    if not _is_ready(out):
        out[...] = _one(name, array, None, constant)
    elif not np.may_share_memory(array, out):
        activate(name, constant, array.reshape(-1), out.reshape(-1))
    else:
        # The same place, or one that overlaps it.
        if array.ctypes.data != out.ctypes.data:
            out[...] = array
        activate(name, constant, None, out.reshape(-1))
    return out


def _constant(name: str, value: Any) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: expected a number, found {type(value).__name__}")
    if not 0.0 <= value < float("inf"):
        raise ValueError(f"{name}: expected a finite number of at least 0, found {value}")
    return float(value)


# --------------------------------------------------------------------------------------------------------------- functions of one number


def identity(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """``x``, copied. Accuracy: exact."""
    return _one("identity", x, out)


def step(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """1 where ``x > 0``, else 0; NaN where ``x`` is. Accuracy: exact."""
    return _one("step", x, out)


def exp(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """``e**x``. Accuracy: 0.77 ulp in ``float32``, 0.75 in ``float64``."""
    return _one("exp", x, out)


def exponential(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """:func:`exp` by the name that it has as the activation of a layer."""
    return _one("exp", x, out)


def expm1(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """``e**x - 1`` without loss of digits near 0. Accuracy: 1.08 ulp in ``float32``, 1.37 in ``float64``."""
    return _one("expm1", x, out)


def log(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """The natural logarithm: minus infinity at 0, NaN below (without a warning). Accuracy: 0.73 ulp in ``float32``, 0.66 in ``float64``."""
    return _one("ln", x, out)


def log1p(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """``log(1 + x)`` without loss of digits near 0. Accuracy: 0.77 ulp in ``float32``, 0.69 in ``float64``."""
    return _one("ln1p", x, out)


def sigmoid(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """The logistic function ``1 / (1 + exp(-x))``, also called expit. Accuracy: 1 ulp, in the left tail too."""
    return _one("sigmoid", x, out)


def log_sigmoid(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """``log(sigmoid(x))``, finite wherever ``x`` is. Accuracy: 1.22 ulp."""
    return _one("log_sigmoid", x, out)


def tanh(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """The hyperbolic tangent. Accuracy: 1 ulp."""
    return _one("tanh", x, out)


def relu(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """``max(x, 0)``; -0 becomes +0. Its derivative at 0 is 0. Accuracy: exact."""
    return _one("relu", x, out)


def leaky_relu(x: npt.ArrayLike, slope: float = 0.01, *, out: np.ndarray | None = None) -> Any:
    """``x`` where positive, else ``slope * x``; ``slope`` is at least 0. Accuracy: exact but for the roundings of slope and product."""
    return _one("leaky_relu", x, out, _constant("slope", slope))


def elu(x: npt.ArrayLike, alpha: float = 1.0, *, out: np.ndarray | None = None) -> Any:
    """``x`` where positive, else ``alpha * (exp(x) - 1)``; ``alpha`` is at least 0 (Clevert, Unterthiner and Hochreiter 2016).

    Accuracy: 1.2 ulp."""
    return _one("elu", x, out, _constant("alpha", alpha))


def selu(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """Scaled ELU, whose constants keep mean 0 and variance 1 (Klambauer et al. 2017). Accuracy: 1 ulp."""
    return _one("selu", x, out)


def softplus(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """``log(1 + exp(x))``. Accuracy: 1.22 ulp, in the left tail too."""
    return _one("softplus", x, out)


def silu(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """``x * sigmoid(x)``, also called swish. Accuracy: 1 ulp."""
    return _one("silu", x, out)


def gelu(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """``x`` times the normal distribution function, in its exact form (Hendrycks and Gimpel 2016).

    Accuracy: 1.8 ulp, in the left tail too."""
    return _one("gelu", x, out)


def gelu_tanh(x: npt.ArrayLike, *, out: np.ndarray | None = None) -> Any:
    """GELU's approximation by tanh, ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))``. Accuracy: 1 ulp of that formula."""
    return _one("gelu_tanh", x, out)


# -------------------------------------------------------------------------------------------------------------------- functions of rows


def _rows(x: Any, axis: int) -> tuple[np.ndarray, int]:
    """The numbers with the axis last, and which it was."""
    array = _array(x)
    if array.ndim == 0:
        raise ValueError("x: expected at least one dimension, found a single number")
    if not isinstance(axis, (int, np.integer)) or isinstance(axis, bool):
        raise TypeError(f"axis: expected an integer, found {type(axis).__name__}")
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(f"axis: expected -{array.ndim} to {array.ndim - 1} for an array of shape {array.shape}, found {axis}")
    axis = int(axis) % array.ndim
    if axis != array.ndim - 1:
        array = np.ascontiguousarray(np.moveaxis(array, axis, -1))
    return array, axis


def _row_function(name: str, x: Any, axis: int, out: np.ndarray | None) -> Any:
    if isinstance(x, np.ma.MaskedArray):
        if out is not None:
            raise TypeError("out: expected none for a masked array, whose result has a mask of its own")
        # Minus infinity is a column that is not there.
        return _masked(x, _row_function(name, _left_out(x), axis, None))
    array, axis = _rows(x, axis)
    back = array.shape[:axis] + array.shape[-1:] + array.shape[axis:-1]
    if out is not None:
        _check_out(out, back, array.dtype)
        if axis == array.ndim - 1 and _is_ready(out):
            if out is not x:
                out[...] = array
            if out.size:
                activate_rows(name, out.reshape(-1), out.shape[-1])
            return out
    result = array.copy()
    if result.size:
        activate_rows(name, result.reshape(-1), result.shape[-1])
    if axis != array.ndim - 1:
        result = np.ascontiguousarray(np.moveaxis(result, -1, axis))
    if out is None:
        return result
    out[...] = result
    return out


def _left_out(x: np.ma.MaskedArray) -> np.ndarray:
    array = _array(x.data).copy()
    array[np.ma.getmaskarray(x)] = -np.inf
    return array


def softmax(x: npt.ArrayLike, axis: int = -1, *, out: np.ndarray | None = None) -> Any:
    """``exp(x) / sum(exp(x))`` along an axis, without overflow.

    Minus infinity is an entry that is not there, as a masked one is; a row that has a NaN or infinity, or nothing else, is NaN throughout.
    What is below ``exp(-87)`` (``float32``) or ``exp(-708)`` of the largest is 0. Accuracy: 4 ulp, and n / 32 more at worst for n entries.
    """
    return _row_function("softmax", x, axis, out)


def log_softmax(x: npt.ArrayLike, axis: int = -1, *, out: np.ndarray | None = None) -> Any:
    """``x - log(sum(exp(x)))`` along an axis, also with all digits where one entry is nearly certain.

    Special entries are as in :func:`softmax`. Accuracy: 4 ulp, and n / 32 more at worst for n entries.
    """
    return _row_function("log_softmax", x, axis, out)


def logsumexp(x: npt.ArrayLike, axis: int = -1, *, keepdims: bool = False) -> Any:
    """``log(sum(exp(x)))`` along an axis, without overflow; NaN for a NaN only.

    Accuracy: 2 ulp of the largest of the largest entry, log(n) and the result.
    """
    if isinstance(x, np.ma.MaskedArray):
        x = _left_out(x)
    array, axis = _rows(x, axis)
    if array.shape[-1] == 0:
        raise ValueError(f"x: expected at least one entry along axis {axis}, found the shape {np.shape(x)}")
    result = np.empty(array.shape[:-1], array.dtype)
    if result.size:
        log_sum_exp(array.reshape(-1), array.shape[-1], result.reshape(-1))
    return np.expand_dims(result, axis) if keepdims else _give(result)


def _backward(name: str, y: Any, gradient: Any, axis: int) -> np.ndarray:
    rows, at = _rows(y, axis)
    other = _array(gradient, "gradient")
    if other.shape != np.shape(y):
        raise ValueError(f"gradient: expected the shape {np.shape(y)} of y, found {other.shape}")
    if at != rows.ndim - 1:
        other = np.moveaxis(other, at, -1)
    delta = np.array(other, dtype=rows.dtype, order="C")
    if delta.size:
        activate_rows_backward(name, rows.reshape(-1), delta.reshape(-1), delta.shape[-1])
    return delta if at == rows.ndim - 1 else np.ascontiguousarray(np.moveaxis(delta, -1, at))


def softmax_backward(y: npt.ArrayLike, gradient: npt.ArrayLike, axis: int = -1) -> np.ndarray:
    """The gradient with respect to ``x``, from ``y = softmax(x)`` and the gradient with respect to ``y``, in ``y``'s type."""
    return _backward("softmax", y, gradient, axis)


def log_softmax_backward(y: npt.ArrayLike, gradient: npt.ArrayLike, axis: int = -1) -> np.ndarray:
    """The gradient with respect to ``x``, from ``y = log_softmax(x)`` and the gradient with respect to ``y``, in ``y``'s type."""
    return _backward("log_softmax", y, gradient, axis)


# ----------------------------------------------------------------------------------------------------------------------------- by name

# Their kernels, and what their constant is called.
_KERNELS: dict[str, tuple[str, str | None]] = {
    "identity": ("identity", None),
    "step": ("step", None),
    "exp": ("exp", None),
    "exponential": ("exp", None),
    "expm1": ("expm1", None),
    "log": ("ln", None),
    "log1p": ("ln1p", None),
    "sigmoid": ("sigmoid", None),
    "logistic": ("sigmoid", None),
    "log_sigmoid": ("log_sigmoid", None),
    "tanh": ("tanh", None),
    "relu": ("relu", None),
    "leaky_relu": ("leaky_relu", "slope"),
    "elu": ("elu", "alpha"),
    "selu": ("selu", None),
    "softplus": ("softplus", None),
    "silu": ("silu", None),
    "swish": ("silu", None),
    "gelu": ("gelu", None),
    "gelu_tanh": ("gelu_tanh", None),
}
_CONSTANTS = {"slope": 0.01, "alpha": 1.0}


def _kernel(activation: str | Callable[..., Any], constants: dict[str, float]) -> tuple[str, float | None]:
    """The kernel of a function of this module or its name (with a constant: ``leaky_relu=0.2``), and its constant."""
    name = activation if isinstance(activation, str) else getattr(activation, "__name__", "")
    is_ours = isinstance(activation, str) or globals().get(name) is activation
    name, equals, number = name.partition("=")
    if name in ("softmax", "log_softmax"):
        raise ValueError(f"activation: {name} is a function of rows, whose slope is no array like x; see {name}_backward")
    if not is_ours or name not in _KERNELS:
        found = repr(activation) if isinstance(activation, str) else repr(getattr(activation, "__name__", activation))
        raise ValueError(f"activation: expected one of {', '.join(_KERNELS)}, found {found}")
    kernel, constant = _KERNELS[name]
    if equals:
        if constant is None or constants:
            raise ValueError(f"activation: expected at most one constant where there is one, found {activation!r}")
        try:
            constants = {constant: float(number)}
        except ValueError:
            raise ValueError(f"activation: expected a number after '=', found {activation!r}") from None
    unknown = [key for key in constants if key != constant]
    if unknown:
        raise TypeError(f"{unknown[0]}: {name} has no such constant")
    if constant is None:
        return kernel, None
    return kernel, _constant(constant, constants.get(constant, _CONSTANTS[constant]))


def apply(activation: str | Callable[..., Any], x: npt.ArrayLike, *, out: np.ndarray | None = None, **constants: float) -> Any:
    """The function of that name; softmax and log_softmax go along the last axis.

        >>> apply("leaky_relu=0.5", [-2.0, 2.0])
        array([-1.,  2.])
    """
    if activation in ("softmax", "log_softmax", softmax, log_softmax) and not constants:
        name = activation if isinstance(activation, str) else activation.__name__
        return _row_function(name, x, -1, out)
    kernel, constant = _kernel(activation, constants)
    return _one(kernel, x, out, constant)


def with_derivative(activation: str | Callable[..., Any], x: npt.ArrayLike, **constants: float) -> tuple[Any, Any]:
    """Value and derivative of a function of this module (or of that name) at ``x``, in one sweep.

    Accuracy of the derivative: 3 units in the last place of 1, or of itself where it is larger. Where a function has a kink, it is the
    slope of the left side. :func:`softmax` and :func:`log_softmax`, whose derivative is a matrix, have a function of their own instead.
    """
    kernel, constant = _kernel(activation, constants)
    if isinstance(x, np.ma.MaskedArray):
        value, slope = with_derivative(activation, x.data, **constants)
        return _masked(x, np.asarray(value)), _masked(x, np.asarray(slope))
    array = _array(x)
    value, slope = np.empty(array.shape, array.dtype), np.empty(array.shape, array.dtype)
    activate(kernel, constant, array.reshape(-1), value.reshape(-1), slope.reshape(-1))
    return _give(value), _give(slope)


def derivative(activation: str | Callable[..., Any], x: npt.ArrayLike, **constants: float) -> Any:
    """The derivative alone of :func:`with_derivative`."""
    return with_derivative(activation, x, **constants)[1]
