"""Gradient checks of anybody's functions: is this the gradient of that function?"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Union

import numpy as np

from . import _deltarule
from ._deltarule import GradientError

__all__ = ["GradientEntry", "GradientReport", "TensorReport", "check_jacobian", "gradcheck"]

# ----------------------------------------------------------------------------------------------------------------------------- reports


@dataclass(frozen=True)
class GradientEntry:
    """One comparison."""

    name: str
    """What was compared: ``W[2, 0]``, ``direction 3``."""
    tensor: str | None
    """The array that the coordinate belongs to; None of a direction."""
    index: Any
    """Its index there, a tuple; of a direction its number. ``x[entry.index]`` is the coordinate."""
    verdict: str
    """``verified``, ``wrong``, ``kink`` or ``inconclusive``."""
    analytic: float
    """The slope in question."""
    numeric: float
    """The slope measured by differences; NaN if the function is not finite beside the point."""
    error: float
    """``|analytic - numeric|`` over the larger of both and of the smallest slope that can be seen; infinite if something is not finite."""
    estimate: float
    """The measured slope's own error, estimated."""
    step: float
    """The longer of the two steps that it was measured with."""
    sides: tuple[float, float] | None
    """Of a kink: the slopes to the left and to the right."""


@dataclass(frozen=True)
class TensorReport:
    """What was found in one array."""

    name: str
    entries: int
    verdict: str
    checked: int
    verified: int
    kinks: int
    inconclusive: int
    wrong: int
    worst: GradientEntry | None


@dataclass(frozen=True)
class GradientReport:
    """What a gradient check found; true if the gradient is verified. ``str(report)`` has the table."""

    verdict: str
    """``verified``: every array has entries that agree and none that is wrong. ``wrong``: some entry disagrees, or is not finite.
    ``kink``: there are kinks throughout, and valid subgradients. ``inconclusive``: of some array nothing could be measured well enough."""
    checked: int
    verified: int
    kinks: int
    inconclusive: int
    wrong: int
    worst: GradientEntry | None
    """The comparison with the largest error, kinks apart."""
    faults: list[GradientEntry]
    """The first entries that are wrong."""
    at_kinks: list[GradientEntry]
    """The first entries at a kink, with the slopes of both sides."""
    tensors: list[TensorReport]
    """Array by array."""
    tolerance: float
    """The largest relative error that agrees."""
    floor: float
    """Slopes smaller than this were compared absolutely: they cannot be seen from values of the function."""
    message: str | None
    """What else is to be said, such as where a value is not finite."""
    _text: str
    _failure: str | None

    def __bool__(self) -> bool:
        return self.verdict == "verified"

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<GradientReport: {self.verdict}, {self.checked} checked, {self.wrong} wrong>"

    def require(self) -> "GradientReport":
        """The report itself, for a chain of calls.

        Raises :class:`deltarule.GradientError`, which is an ``AssertionError``, unless the verdict is ``verified``.
        """
        if self._failure is not None:
            raise GradientError(self._failure)
        return self


# The name, tensor and index that an entry's number stands for.
_Place = Callable[[dict], "tuple[str, Union[str, None], Any]"]


def _report(found: tuple[dict, str, str | None], place: _Place) -> GradientReport:
    fields, text, failure = found

    def entry(raw: dict | None) -> GradientEntry | None:
        if raw is None:
            return None
        name, tensor, index = place(raw)
        kept = {key: raw[key] for key in ("verdict", "analytic", "numeric", "error", "estimate", "step", "sides")}
        return GradientEntry(name=name, tensor=tensor, index=index, **kept)

    tensors = [TensorReport(**{**tensor, "worst": entry(tensor["worst"])}) for tensor in fields.pop("tensors")]
    fields.pop("subject")
    for key in ("faults", "at_kinks"):
        fields[key] = [entry(raw) for raw in fields[key]]
    fields["worst"] = entry(fields["worst"])
    return GradientReport(tensors=tensors, _text=text.rstrip("\n"), _failure=failure, **fields)


# ------------------------------------------------------------------------------------------------------------------------------ points


def _real(value: Any, name: str) -> np.ndarray:
    """Real numbers as float64."""
    array = np.asarray(value)
    if array.dtype.kind not in "biufO":
        raise TypeError(f"{name}: expected real numbers, found {array.dtype}")
    if array.dtype.kind == "O" and any(entry is None for entry in array.flat):
        raise TypeError(f"{name}: expected real numbers, found None")  # which NumPy takes for NaN
    try:
        return np.array(array, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected an array of real numbers, found {type(value).__name__}") from None


class _Point:
    """A point as its owner has it: an array, a dictionary of arrays or a list of them; and as one flat array."""

    def __init__(self, x: Any) -> None:
        if isinstance(x, Mapping):
            self.kind = "dict"
            parts = [(str(key), _real(value, f"x[{key!r}]")) for key, value in x.items()]
            self.keys = list(x)
        elif isinstance(x, (list, tuple)) and x and all(isinstance(part, np.ndarray) for part in x):
            self.kind = "tuple" if isinstance(x, tuple) else "list"
            parts = [(f"x[{i}]", _real(part, f"x[{i}]")) for i, part in enumerate(x)]
            self.keys = list(range(len(x)))
        else:
            self.kind = "array"
            parts = [("x", _real(x, "x"))]
            self.keys = []
        self.names = [name for name, _ in parts]
        self.shapes = [part.shape for _, part in parts]
        self.flat = np.concatenate([part.reshape(-1) for _, part in parts] or [np.empty(0)])
        self.ends = np.cumsum([math.prod(shape) for shape in self.shapes])

    def tensors(self) -> list[tuple[str, int]]:
        return [(name, math.prod(shape)) for name, shape in zip(self.names, self.shapes)]

    def unflatten(self, flat: np.ndarray) -> Any:
        """The same numbers in the owner's form: views of `flat`."""
        begins = [0, *self.ends[:-1]]
        parts = [flat[a:b].reshape(shape) for a, b, shape in zip(begins, self.ends, self.shapes)]
        if self.kind == "dict":
            return dict(zip(self.keys, parts))
        if self.kind == "array":
            return parts[0]
        return tuple(parts) if self.kind == "tuple" else parts

    def flatten(self, value: Any, name: str) -> np.ndarray:
        """Numbers in the owner's form as one flat array."""
        if self.kind == "dict":
            if not isinstance(value, Mapping):
                raise TypeError(f"{name}: expected a dictionary, as x is one, found {type(value).__name__}")
            if set(value) != set(self.keys):
                raise ValueError(f"{name}: expected the keys {self.keys} of x, found {list(value)}")
            parts = [(f"{name}[{key!r}]", value[key]) for key in self.keys]
        elif self.kind == "array":
            parts = [(name, value)]
        else:
            if not isinstance(value, (list, tuple)) or len(value) != len(self.keys):
                found = f"{len(value)} of them" if isinstance(value, (list, tuple)) else type(value).__name__
                raise ValueError(f"{name}: expected a list of {len(self.keys)} arrays, as x is one, found {found}")
            parts = [(f"{name}[{i}]", part) for i, part in enumerate(value)]
        arrays = []
        for (label, part), shape in zip(parts, self.shapes):
            array = _real(part, label)
            if array.shape != shape:
                raise ValueError(f"{label}: expected the shape {shape} of x, found {array.shape}")
            arrays.append(array.reshape(-1))
        return np.concatenate(arrays or [np.empty(0)])

    def locate(self, index: int) -> tuple[str, tuple[int, ...]]:
        """The array that a coordinate belongs to, and its index there."""
        part = int(np.searchsorted(self.ends, index, side="right"))
        begin = 0 if part == 0 else int(self.ends[part - 1])
        return self.names[part], tuple(int(i) for i in np.unravel_index(index - begin, self.shapes[part]))

    def name(self, index: int) -> str:
        tensor, place = self.locate(index)
        return f"{tensor}[{', '.join(map(str, place))}]" if place else tensor


def _number(value: Any) -> float:
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "biufO":
        found = f"an array of {array.dtype} of shape {array.shape}" if array.ndim else type(value).__name__
        raise TypeError(f"f: expected a real number, found {found}")
    try:
        return float(array.reshape(())[()])
    except (TypeError, ValueError):
        raise TypeError(f"f: expected a real number, found {type(value).__name__}") from None


def _differs(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return not np.array_equal(a, b)
    return bool(a != b)


def _asked(mode: str, count: int | None, seed: int, **others: Any) -> dict[str, Any]:
    defaults = {"coordinates": 0, "sample": 10, "directions": 8}
    if mode not in defaults:
        raise ValueError(f"mode: expected one of {', '.join(defaults)}, found {mode!r}")
    count = defaults[mode] if count is None else count
    for name, value in (("count", count), ("seed", seed)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
            raise ValueError(f"{name}: expected an integer of at least 0, found {value!r}")
    if mode != "coordinates" and count == 0:
        raise ValueError("count: expected an integer of at least 1, found 0")
    tolerance, negligible, absolute = (others[name] for name in ("tolerance", "negligible", "absolute"))
    if not 0.0 < tolerance < 1.0:
        raise ValueError(f"tolerance: expected a number between 0 and 1, found {tolerance!r}")
    if not 0.0 <= negligible < 1.0:
        raise ValueError(f"negligible: expected a number from 0 to below 1, found {negligible!r}")
    if not (0.0 <= absolute < math.inf):
        raise ValueError(f"absolute: expected a finite number of at least 0, found {absolute!r}")
    return {"mode": mode, "count": int(count), "seed": int(seed), "tensors": [], **others}


# ------------------------------------------------------------------------------------------------------------------------------ checks


def gradcheck(
    f: Callable[[Any], Any],
    grad: Any,
    x: Any,
    *,
    mode: str = "coordinates",
    count: int | None = None,
    seed: int = 0,
    tolerance: float = 1e-7,
    negligible: float = 0.0,
    absolute: float = 0.0,
    piece: Callable[[Any], Any] | None = None,
    most_wrong: int = 10,
) -> GradientReport:
    """Compares a gradient with slopes of the function, measured around a point to some 7 digits at least.

    Steps are chosen anew for each slope, from how well values of the function can be told apart and how it bends, and each measured slope
    comes with an estimate of its own error: what cannot be measured is ``inconclusive`` and not ``wrong``. At a kink, as ReLU has one at 0,
    a valid subgradient is told from a wrong entry.

    Parameters
    ----------
    f : callable
        The function: gets a point in the form of ``x``, in float64 and its own to change, and gives a number. It must give the same number
        for the same point (no dropout drawn anew), best computed in float64.
    grad : array, dict or list of arrays in the form of ``x``, or callable
        The gradient at ``x``, or what computes it from a point.
    x : array, dict of arrays, or list of NumPy arrays
        The point.
    mode : {"coordinates", "sample", "directions"}
        Along what to measure: every coordinate by itself, from 4 evaluations for each; ``count`` (10) coordinates of each array, the one
        with the largest entry among them; or ``count`` (8) random directions, a few evaluations each for any number of coordinates.
    seed : int
        What coordinates or directions are drawn from.
    tolerance : float
        The largest relative error that agrees.
    negligible : float
        Entries smaller than this part of the largest one are compared as if they had that size.
    absolute : float
        An absolute error that always agrees.
    piece : callable, optional
        Tells in which smooth piece of the function a point lies, by anything that differs between pieces, such as the array of which ReLUs
        are on. Steps then stay within the point's own piece, and a kink is known and not guessed.
    most_wrong : int
        How many wrong entries, and how many kinks, to list; all are counted.

    Returns
    -------
    GradientReport
        True if the gradient is verified; its ``require()`` raises otherwise.

    Raises
    ------
    Whatever ``f``, ``grad`` or ``piece`` raise, as it is. ValueError and TypeError name the argument. That ``f`` is not finite somewhere
    is part of the report.

    Examples
    --------
    >>> import numpy as np
    >>> from deltarule import gradcheck
    >>> f = lambda x: np.sin(x[0]) * x[1] + x[1] ** 3
    >>> right = lambda x: np.array([np.cos(x[0]) * x[1], np.sin(x[0]) + 3 * x[1] ** 2])
    >>> bool(gradcheck(f, right, [0.5, -1.25]))
    True
    >>> report = gradcheck(f, lambda x: right(x) * [1, 2], [0.5, -1.25])
    >>> report.verdict, report.worst.index
    ('wrong', (1,))
    """
    _callable("f", f)
    point = _Point(x)
    others = {"tolerance": tolerance, "negligible": negligible, "absolute": absolute, "most_wrong": most_wrong}
    asked = _asked(mode, count, seed, **others)
    asked["tensors"] = point.tensors()
    if callable(grad):
        grad = grad(point.unflatten(point.flat.copy()))
    gradient = point.flatten(grad, "grad")
    crossed = None
    if piece is not None:
        _callable("piece", piece)
        own, told = piece(point.unflatten(point.flat.copy())), piece
        crossed = lambda flat: _differs(own, told(point.unflatten(flat)))  # noqa: E731
    found = _deltarule.gradcheck(lambda flat: _number(f(point.unflatten(flat))), gradient, point.flat, crossed, point.name, asked)
    is_coordinate = found[0]["subject"] == "coordinate"

    def place(raw: dict) -> tuple[str, str | None, Any]:
        if not is_coordinate:
            return raw["name"], None, raw["index"]
        return raw["name"], *point.locate(raw["index"])

    return _report(found, place)


def check_jacobian(
    f: Callable[[Any], Any],
    x: Any,
    jacobian: Any = None,
    *,
    jvp: Callable[[Any], Any] | None = None,
    vjp: Callable[[Any], Any] | None = None,
    mode: str = "coordinates",
    count: int | None = None,
    seed: int = 0,
    tolerance: float = 1e-7,
    negligible: float = 0.0,
    absolute: float = 0.0,
    most_wrong: int = 10,
) -> GradientReport:
    """:func:`gradcheck` for a function of many values: compares its Jacobian at ``x``, or a product with it, with measured slopes.

    Parameters
    ----------
    f : callable
        Gets an array of ``x``'s shape, gives an array of any shape.
    x : array
        The point.
    jacobian : array of shape ``f(x).shape + x.shape``, or callable that gives it
    jvp : callable
        ``jvp(v)`` is the Jacobian times ``v`` (of ``x``'s shape), as forward differentiation has it.
    vjp : callable
        ``vjp(u)`` is ``u`` (of the values' shape) times the Jacobian, as back-propagation has it. One of the three is to be given. The
        gradient's own derivative along a vector, a Hessian-vector product, is the ``jvp`` of the gradient.

    The other parameters are those of :func:`gradcheck`. Of coordinates, an entry's index is the value's index followed by the coordinate's.
    """
    _callable("f", f)
    given = [name for name, value in (("jacobian", jacobian), ("jvp", jvp), ("vjp", vjp)) if value is not None]
    if len(given) != 1:
        raise TypeError(f"expected one of jacobian, jvp and vjp, found {' and '.join(given) or 'none'}")
    at = _real(x, "x")
    values = _real(f(at.copy()), "f")
    others = {"tolerance": tolerance, "negligible": negligible, "absolute": absolute, "most_wrong": most_wrong}
    asked = _asked(mode, count, seed, **others)

    def shaped(value: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
        array = _real(value, name)
        if array.shape != shape:
            raise ValueError(f"{name}: expected the shape {shape}, found {array.shape}")
        return array.reshape(-1)

    if jacobian is not None:
        if callable(jacobian):
            jacobian = jacobian(at.copy())
        matrix = shaped(jacobian, values.shape + at.shape, "jacobian").reshape(values.size, at.size)
        product = lambda v: matrix @ v  # noqa: E731
    elif jvp is not None:
        times: Callable[[Any], Any] = jvp
        product = lambda v: shaped(times(v.reshape(at.shape)), values.shape, "jvp")  # noqa: E731
    else:
        from_left: Callable[[Any], Any] = vjp  # type: ignore[assignment]
        product = lambda u: shaped(from_left(u.reshape(values.shape)), at.shape, "vjp")  # noqa: E731
    flat = lambda x: shaped(f(x.reshape(at.shape)), values.shape, "f")  # noqa: E731
    found = _deltarule.jacobian_check(flat, product, vjp is None, at.reshape(-1), asked)

    def place(raw: dict) -> tuple[str, str | None, Any]:
        numbers = re.fullmatch(r"value (\d+), coordinate (\d+)", raw["name"])
        if not numbers:
            return raw["name"], None, raw["index"]
        value = np.unravel_index(int(numbers[1]) - 1, values.shape)
        coordinate = np.unravel_index(int(numbers[2]), at.shape)
        return raw["name"], None, tuple(int(i) for i in (*value, *coordinate))

    return _report(found, place)


def _callable(name: str, value: Any) -> None:
    if not callable(value):
        raise TypeError(f"{name}: expected a function, found {type(value).__name__}")
