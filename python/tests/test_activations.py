"""The kernels as NumPy functions: accuracy, special values, types, shapes, places to write to."""

import numpy as np
import pytest

from deltarule import activations

# Exact to some 0.05 units in the last place of the results asked for: longdouble has 11 more binary digits than float64.
L = np.longdouble
HAS_LONG_DOUBLE = np.finfo(L).nmant > 60


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _softplus(x):
    return np.where(x > 0, x, 0) + np.log1p(np.exp(-np.abs(x)))


def _selu(x):
    scale, alpha = L(1.0507009873554805), L(1.6732632423543772)
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _gelu(x):
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(40):
        exact = [mpmath.mpf(str(v)) * mpmath.erfc(-mpmath.mpf(str(v)) / mpmath.sqrt(2)) / 2 for v in x.tolist()]
        return np.array([L(mpmath.nstr(value, 25)) for value in exact])


def _gelu_tanh(x):
    root = np.sqrt(2 / (4 * np.arctan(L(1))))
    return x * _sigmoid(2 * root * (x + L("0.044715") * x**3))


# The function in exact enough numbers, the range, and the ulp that its docstring promises (float32, float64).
EXACT = {
    "exp": (np.exp, (-80, 80), (0.77, 0.75)),
    "expm1": (np.expm1, (-20, 80), (1.08, 1.37)),
    "log": (np.log, (1e-30, 1e30), (0.73, 0.66)),
    "log1p": (np.log1p, (-0.999, 1e3), (0.77, 0.69)),
    "sigmoid": (_sigmoid, (-80, 40), (1.0, 1.0)),
    "log_sigmoid": (lambda x: -_softplus(-x), (-80, 80), (1.22, 1.22)),
    "tanh": (np.tanh, (-12, 12), (1.0, 1.0)),
    "softplus": (_softplus, (-80, 80), (1.22, 1.22)),
    "silu": (lambda x: x * _sigmoid(x), (-80, 40), (1.0, 1.0)),
    "selu": (_selu, (-40, 40), (1.0, 1.0)),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), (-40, 40), (1.2, 1.2)),
    "gelu_tanh": (_gelu_tanh, (-9, 9), (1.0, 1.0)),
    "gelu": (_gelu, (-10, 9), (1.8, 1.8)),
}

ONE = [*EXACT, "identity", "step", "exponential", "relu", "leaky_relu"]
DTYPES = [np.float32, np.float64]


def points(low, high, dtype, count=4001):
    random = np.random.default_rng(7)
    x = random.uniform(low, high, count)
    if low > 0:
        x = np.exp(random.uniform(np.log(low), np.log(high), count))
    near = random.normal(0, 1e-3, count // 4)
    return np.concatenate([x, near[(near > low) & (near < high)]]).astype(dtype)


@pytest.mark.skipif(not HAS_LONG_DOUBLE, reason="longdouble is no longer than float64 here")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_as_accurate_as_promised(name, dtype):
    exact, (low, high), promised = EXACT[name]
    x = points(low, high, dtype, 1001 if name == "gelu" else 4001)
    y = getattr(activations, name)(x)
    assert y.dtype == dtype and y.shape == x.shape
    truth = exact(x.astype(L))
    unit = np.spacing(np.abs(truth).astype(dtype)).astype(L)
    worst = (np.abs(y.astype(L) - truth) / unit).max()
    # A truth just below a power of two has twice the unit after rounding to the type: 2 % for that and for the truth's own rounding.
    assert worst <= promised[DTYPES.index(dtype)] * 1.02, worst


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [n for n in ONE if n not in ("log", "step")])
def test_derivatives_are_those_of_the_values(name, dtype):
    x = np.linspace(-6, 6, 401)[1::2] if name != "log1p" else np.linspace(-0.9, 6, 201)
    value, slope = activations.with_derivative(name, x.astype(dtype))
    assert value.dtype == slope.dtype == dtype
    np.testing.assert_array_equal(value, activations.apply(name, x.astype(dtype)))
    step = 1e-6
    measured = (activations.apply(name, x + step) - activations.apply(name, x - step)) / (2 * step)
    np.testing.assert_allclose(slope, measured, rtol=1e-5 if dtype == np.float32 else 1e-8, atol=1e-6 if dtype == np.float32 else 1e-8)
    np.testing.assert_array_equal(activations.derivative(getattr(activations, name), x.astype(dtype)), slope)


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values(dtype):
    inf, tiny = np.inf, np.finfo(dtype).smallest_subnormal
    x = np.array([np.nan, -inf, inf, -0.0, 0.0, -tiny, tiny], dtype)
    expected = {
        "exp": [0, inf, 1, 1, 1, 1],
        "expm1": [-1, inf, -0.0, 0.0, -tiny, tiny],
        "sigmoid": [0, 1, 0.5, 0.5, 0.5, 0.5],
        "tanh": [-1, 1, -0.0, 0.0, -tiny, tiny],
        "relu": [0, inf, 0, 0, 0, tiny],
        "softplus": [0, inf, np.log(dtype(2)), np.log(dtype(2)), np.log(dtype(2)), np.log(dtype(2))],
        "silu": [0, inf, 0, 0, None, None],
        "gelu": [0, inf, 0, 0, None, None],
        "gelu_tanh": [0, inf, 0, 0, None, None],
        "elu": [-1, inf, 0, 0, None, None],
        "step": [0, 1, 0, 0, 0, 1],
        "identity": [-inf, inf, -0.0, 0.0, -tiny, tiny],
        "log_sigmoid": [-inf, 0, None, None, None, None],
    }
    with np.errstate(all="raise"):
        for name, values in expected.items():
            y = activations.apply(name, x)
            assert np.isnan(y[0]), name
            for found, value in zip(y[1:], values):
                assert value is None or found == dtype(value), (name, y)
    assert np.signbit(activations.tanh(dtype(-0.0))) and not np.signbit(activations.relu(dtype(-0.0)))
    logs = activations.log(np.array([0.0, -1.0, tiny, inf], dtype))
    assert logs[0] == -inf and np.isnan(logs[1]) and np.isfinite(logs[2]) and logs[3] == inf
    # The slope has its limit where values have overflowed.
    slopes = activations.derivative("gelu_tanh", np.array([-inf, -1e30, 1e30, inf], dtype))
    np.testing.assert_allclose(slopes, [0, 0, 1, 1], atol=1e-20)


@pytest.mark.parametrize("name", ONE)
def test_shapes_types_and_layouts(name):
    f = getattr(activations, name)
    x = np.random.default_rng(3).uniform(0.1, 2, (3, 4, 5))
    expected = f(x)
    assert expected.shape == x.shape
    same = np.testing.assert_array_equal
    same(f(x.transpose(2, 0, 1)), expected.transpose(2, 0, 1))
    same(f(x[:, ::-2]), expected[:, ::-2])
    same(f(x.astype(">f8")), expected)
    same(f(x.tolist()), expected)
    packed = np.zeros(x.shape, dtype=[("pad", "i1"), ("x", "f8")])["x"]
    packed[:] = x
    assert not packed.flags.aligned
    same(f(packed), expected)
    f(x, out=packed)
    same(packed, expected)
    assert f(x.astype(">f4")).dtype == np.dtype(np.float32)
    assert f(x.astype(np.float16)).dtype == f(np.arange(3)).dtype == f([True, False]).dtype == np.float64
    scalar = f(np.float32(0.5))
    assert isinstance(scalar, np.float32) and isinstance(f(0.5), np.float64)
    assert f(np.array(0.5)) == f([0.5])[0]
    assert f(np.empty((0, 3))).shape == (0, 3)
    assert f(np.array([1, 2], dtype=object)).dtype == np.float64
    for wrong in (["a"], np.array([1j]), np.array([None]), np.array(["2020-01-01"], "M8[D]"), {}):
        with pytest.raises(TypeError, match="x: expected real numbers"):
            f(wrong)


@pytest.mark.parametrize("name", [*ONE, "softmax", "log_softmax"])
def test_out(name):
    f = getattr(activations, name)
    x = np.random.default_rng(4).uniform(0.1, 2, (6, 7)).astype(np.float32)
    expected = f(x)
    same = np.testing.assert_array_equal
    out = np.empty_like(x)
    assert f(x, out=out) is out
    same(out, expected)
    place = x.copy()
    assert f(place, out=place) is place
    same(place, expected)
    # Places with gaps, and ones that overlap.
    gaps = np.zeros((6, 14), np.float32)
    f(x, out=gaps[:, ::2])
    same(gaps[:, ::2], expected)
    same(gaps[:, 1::2], 0)
    buffer = np.zeros(43, np.float32)
    buffer[:42] = x.reshape(-1)
    f(buffer[:42].reshape(6, 7), out=buffer[1:].reshape(6, 7))
    same(buffer[1:].reshape(6, 7), expected)
    reverse = x.copy()
    f(reverse, out=reverse[::-1])
    same(reverse[::-1], expected)
    before = out.copy()
    for wrong, error, message in [
        (np.empty((7, 6), np.float32), ValueError, r"out: expected the shape \(6, 7\), found \(7, 6\)"),
        (np.empty((6, 7)), TypeError, "out: expected an array of float32, found float64"),
        ([0.0], TypeError, "out: expected a NumPy array, found list"),
        (np.ma.zeros((6, 7), np.float32), TypeError, "out: expected an array without a mask"),
    ]:
        with pytest.raises(error, match=message):
            f(x, out=wrong)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out: expected an array that may be written to"):
        f(x, out=out)
    same(out, before)
    x.flags.writeable = False
    same(f(x), expected)


def test_masked_arrays_keep_their_masks():
    x = np.ma.array([[0.0, 1.0, np.nan], [2.0, 3.0, 4.0]], mask=[[False, False, True], [False, True, False]])
    y = activations.tanh(x)
    assert isinstance(y, np.ma.MaskedArray)
    np.testing.assert_array_equal(y.mask, x.mask)
    np.testing.assert_array_equal(y.compressed(), activations.tanh(x.compressed()))
    p = activations.softmax(x)
    np.testing.assert_array_equal(p.mask, x.mask)
    np.testing.assert_array_equal(p.compressed(), [*activations.softmax([0.0, 1.0]), *activations.softmax([2.0, 4.0])])
    np.testing.assert_allclose(activations.logsumexp(x), [np.logaddexp(0, 1), np.logaddexp(2, 4)])
    y[0, 0] = 5
    assert x[0, 0] == 0


def test_constants():
    x = np.array([-2.0, 3.0])
    np.testing.assert_array_equal(activations.leaky_relu(x, 0.5), [-1, 3])
    np.testing.assert_array_equal(activations.apply("leaky_relu=0.5", x), [-1, 3])
    np.testing.assert_array_equal(activations.apply("leaky_relu", x, slope=0.5), [-1, 3])
    np.testing.assert_allclose(activations.elu(x, alpha=2), [2 * np.expm1(-2.0), 3])
    for wrong in (-0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match="slope: expected a finite number of at least 0"):
            activations.leaky_relu(x, wrong)
    with pytest.raises(TypeError, match="alpha: expected a number, found str"):
        activations.elu(x, "1")
    for wrong in ("tahn", "tanh=1", "elu=a", "elu=-1", np.tanh, print):
        with pytest.raises(ValueError, match="activation|alpha"):
            activations.apply(wrong, x)
    with pytest.raises(TypeError, match="slope: tanh has no such constant"):
        activations.apply("tanh", x, slope=1.0)
    with pytest.raises(ValueError, match="softmax_backward"):
        activations.derivative("softmax", x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows(dtype):
    x = (10 * np.random.default_rng(5).normal(size=(4, 3, 10))).astype(dtype)
    exact = x.astype(L)
    top = exact.max(-1, keepdims=True)
    p = np.exp(exact - top)
    total = p.sum(-1, keepdims=True)
    # Of the others alone, for the digits of a row that is nearly certain.
    log_total = np.log1p(np.where(exact == top, 0, p).sum(-1, keepdims=True))
    rtol = 5 * np.finfo(dtype).eps
    np.testing.assert_allclose(activations.softmax(x), p / total, rtol=rtol)
    logs = exact - top - log_total
    np.testing.assert_allclose(activations.log_softmax(x), logs, rtol=rtol)
    sums = (log_total + top)[..., 0]
    np.testing.assert_allclose(activations.logsumexp(x), sums, rtol=rtol, atol=rtol * 30)
    for axis in (0, 1, -2, -3):
        moved = np.moveaxis(x, axis, -1)
        for f in (activations.softmax, activations.log_softmax):
            np.testing.assert_array_equal(f(x, axis), np.moveaxis(f(moved), -1, axis))
            out = np.empty_like(x)
            np.testing.assert_array_equal(f(x, axis, out=out), f(x, axis))
        np.testing.assert_array_equal(activations.logsumexp(x, axis), activations.logsumexp(moved))
        assert activations.logsumexp(x, axis, keepdims=True).shape == tuple(np.where(np.arange(3) == axis % 3, 1, x.shape))
    assert isinstance(activations.logsumexp(x[0, 0]), dtype)


def test_special_rows():
    inf, nan = np.inf, np.nan
    x = np.array([[0.0, -inf, 0.0], [-inf, -inf, -inf], [nan, 0, 0], [inf, 0, 0], [1e308, 1e308, -1e308]])
    p = activations.softmax(x)
    assert p[0].tolist() == [0.5, 0, 0.5] and np.isnan(p[1:4]).all() and p[4].tolist() == [0.5, 0.5, 0]
    assert activations.logsumexp(x)[1] == -inf
    assert activations.softmax(np.empty((3, 0))).shape == (3, 0) and activations.softmax(np.empty((0, 3))).shape == (0, 3)
    with pytest.raises(ValueError, match="at least one entry along axis 1"):
        activations.logsumexp(np.empty((3, 0)))
    with pytest.raises(ValueError, match="x: expected at least one dimension"):
        activations.softmax(1.0)
    with pytest.raises(ValueError, match="axis: expected -1 to 0"):
        activations.softmax([1.0], 1)
    with pytest.raises(TypeError, match="axis: expected an integer"):
        activations.softmax([1.0], 0.0)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_row_gradients(name):
    f, backward = getattr(activations, name), getattr(activations, f"{name}_backward")
    random = np.random.default_rng(6)
    x, u = random.normal(size=(3, 4)), random.normal(size=(3, 4))
    gradient = backward(f(x), u)
    step = 1e-6
    for i in np.ndindex(*x.shape):
        moved = [x.copy() for _ in range(2)]
        moved[0][i] -= step
        moved[1][i] += step
        measured = ((f(moved[1]) - f(moved[0])) * u).sum() / (2 * step)
        assert abs(measured - gradient[i]) < 1e-8
    np.testing.assert_allclose(backward(f(x.T, 0), u.T, 0), gradient.T, rtol=1e-14)
    assert (x == x.copy()).all()
    with pytest.raises(ValueError, match=r"gradient: expected the shape \(3, 4\) of y"):
        backward(f(x), u[0])


def test_a_large_array_frees_the_interpreter():
    import threading

    x = np.random.default_rng(8).normal(size=4_000_000)
    done = threading.Event()
    ran = []

    def count():
        while not done.is_set():
            ran.append(1)
            done.wait(1e-4)

    other = threading.Thread(target=count)
    other.start()
    before = len(ran)
    activations.gelu(x)
    during = len(ran) - before
    done.set()
    other.join()
    assert during > 3, "another thread runs meanwhile"
