"""Gradient checks of functions written in Python."""

import numpy as np
import pytest

import deltarule
from deltarule import check_jacobian, gradcheck


def f(x):
    return np.sin(x[0]) * x[1] + x[1] ** 3


def gradient(x):
    return np.array([np.cos(x[0]) * x[1], np.sin(x[0]) + 3 * x[1] ** 2])


AT = np.array([0.5, -1.25])


def test_a_right_gradient_is_verified():
    report = gradcheck(f, gradient, AT)
    assert report and report.verdict == "verified" and report.checked == report.verified == 2
    assert report.require() is report
    assert report.worst.error < 1e-7 and report.tolerance == 1e-7 and report.message is None
    assert "verified" in str(report) and "verified" in repr(report)
    assert gradcheck(f, gradient(AT), AT.tolist())


@pytest.mark.parametrize("mode", ["coordinates", "sample", "directions"])
def test_a_forgotten_factor_is_found(mode):
    report = gradcheck(f, lambda x: gradient(x) * [1, 1 / 3], AT, mode=mode)
    assert not report and report.verdict == "wrong"
    if mode != "directions":
        assert report.worst.index == (1,) and report.worst.tensor == "x" and report.worst.name == "x[1]"
        assert report.worst.numeric == pytest.approx(gradient(AT)[1], rel=1e-9)
        assert [entry.index for entry in report.faults] == [(1,)] and AT[report.worst.index] == -1.25
    with pytest.raises(deltarule.GradientError, match="wrong") as caught:
        report.require()
    assert isinstance(caught.value, AssertionError)


def test_named_arrays_of_any_shape():
    random = np.random.default_rng(1)
    rows, targets = random.normal(size=(8, 3)), random.normal(size=(8, 2))
    params = {"W": random.normal(size=(3, 2)), "b": random.normal(size=2), "scale": np.array(1.5)}

    def loss(p):
        return 0.5 * ((p["scale"] * (np.tanh(rows @ p["W"]) + p["b"]) - targets) ** 2).sum()

    def grad(p):
        hidden = np.tanh(rows @ p["W"]) + p["b"]
        delta = p["scale"] * hidden - targets
        inner = delta * p["scale"] * (1 - np.tanh(rows @ p["W"]) ** 2)
        return {"scale": (delta * hidden).sum(), "b": (delta * p["scale"]).sum(0), "W": rows.T @ inner}

    report = gradcheck(loss, grad, params)
    assert report and [t.name for t in report.tensors] == ["W", "b", "scale"] and report.checked == 9
    wrong = grad(params)
    wrong["W"][2, 1] *= 1.001
    report = gradcheck(loss, wrong, params)
    assert report.worst.name == "W[2, 1]" and report.worst.tensor == "W" and report.worst.index == (2, 1)
    assert [t.verdict for t in report.tensors] == ["wrong", "verified", "verified"]
    as_list = [params["W"], params["b"]]
    short = lambda p: loss({"W": p[0], "b": p[1], "scale": 1.5})  # noqa: E731
    exact = grad(params)
    assert gradcheck(short, [exact["W"], exact["b"]], as_list)
    assert gradcheck(short, (exact["W"], exact["b"]), tuple(as_list), mode="directions", count=3)
    assert gradcheck(lambda x: float(x) ** 2, 3.0, 1.5).worst.index == ()


def test_a_function_may_change_its_point():
    x = AT.copy()

    def rude(x):
        value = f(x)
        x[:] = np.nan
        return value

    assert gradcheck(rude, gradient, x)
    np.testing.assert_array_equal(x, AT)


def test_kinks():
    relu = lambda x: np.maximum(x, 0).sum()  # noqa: E731
    report = gradcheck(relu, [0.5, 1.0], [0.0, 1.0])
    assert report.verdict == "verified" and report.kinks == 1 and report.at_kinks[0].sides == pytest.approx((0, 1))
    assert gradcheck(relu, [2.0, 1.0], [0.0, 1.0]).verdict == "wrong"
    assert gradcheck(relu, [0.5], [0.0]).verdict == "kink"
    # So near to a kink that steps would cross it: told the pieces, they do not.
    assert gradcheck(relu, [1.0], [1e-9], piece=lambda x: x > 0)
    assert gradcheck(relu, [0.5], [0.0], piece=lambda x: (x > 0).tobytes()).verdict == "kink"


def test_values_that_are_not_finite():
    report = gradcheck(lambda x: np.nan, [1.0], [1.0])
    assert report.verdict == "wrong" and "nan" in report.message.lower()
    with np.errstate(invalid="ignore"):
        report = gradcheck(lambda x: np.sqrt(x[0]), [1.0], [0.0])
    assert not report
    report = gradcheck(f, [np.inf, 0.0], AT)
    assert report.verdict == "wrong" and report.worst.error == np.inf
    assert gradcheck(f, gradient(AT), [np.nan, 1.0]).verdict == "wrong"
    assert gradcheck(lambda x: 1.0, [], []).verdict == "inconclusive"
    random = np.random.default_rng(0)
    assert "not a function" in gradcheck(lambda x: f(x) + random.normal(), gradient, AT).message


@pytest.mark.parametrize("raised", [KeyError("mine"), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("at", [0, 1, 5])
def test_exceptions_are_handed_on_as_they_are(raised, at):
    calls = []

    def failing(x):
        calls.append(1)
        if len(calls) > at:
            raise raised
        return f(x)

    with pytest.raises(type(raised)) as caught:
        gradcheck(failing, gradient(AT), AT)
    assert caught.value is raised and len(calls) == at + 1
    with pytest.raises(type(raised)):
        gradcheck(f, lambda x: (_ for _ in ()).throw(raised), AT)


def test_what_is_no_gradient_is_refused_by_name():
    for grad, error, message in [
        ([1.0], ValueError, r"grad: expected the shape \(2,\) of x, found \(1,\)"),
        ([[1.0], [2.0]], ValueError, r"grad: expected the shape"),
        (["a", "b"], TypeError, "grad: expected real numbers"),
        ([1j, 2], TypeError, "grad: expected real numbers"),
        (None, TypeError, "grad: expected"),
    ]:
        with pytest.raises(error, match=message):
            gradcheck(f, grad, AT)
    with pytest.raises(ValueError, match=r"grad: expected the keys \['a'\] of x, found \['b'\]"):
        gradcheck(lambda p: 0.0, {"b": 1.0}, {"a": 1.0})
    with pytest.raises(ValueError, match="grad: expected a list of 1 arrays"):
        gradcheck(lambda p: 0.0, [], [np.ones(2)])
    for value, message in [(None, "NoneType"), ("1", "str"), (np.ones(2), r"shape \(2,\)"), (1j, "complex")]:
        with pytest.raises(TypeError, match=f"f: expected a real number, found .*{message}"):
            gradcheck(lambda x, value=value: value, gradient, AT)
    with pytest.raises(TypeError, match="f: expected a function"):
        gradcheck(1.0, gradient, AT)
    for setting in [
        {"mode": "all"},
        {"count": 0, "mode": "sample"},
        {"count": -1},
        {"seed": -1},
        {"seed": 1.5},
        {"tolerance": 0.0},
        {"tolerance": np.nan},
        {"negligible": 1.0},
        {"absolute": -1.0},
    ]:
        with pytest.raises(ValueError, match="expected"):
            gradcheck(f, gradient, AT, **setting)


def test_samples_and_directions_are_cheap_and_reproducible():
    n = 2000
    x = np.linspace(-1, 1, n).reshape(40, 50)
    weights = np.random.default_rng(2).normal(size=x.shape)
    calls = []

    def wide(x):
        calls.append(1)
        return (weights * np.sin(x)).sum()

    right = weights * np.cos(x)
    assert gradcheck(wide, right, x, mode="sample", count=5).checked == 5
    assert gradcheck(wide, right, x, mode="directions", count=3).checked == 3
    assert len(calls) < 400
    wrong = right.copy()
    wrong[3, 4] += 1
    reports = [gradcheck(wide, wrong, x, mode="directions", seed=3) for _ in range(2)]
    assert reports[0] == reports[1] and reports[0].verdict == "wrong"


POLAR = np.array([2.0, 0.5])


def polar(x):
    return np.array([x[0] * np.cos(x[1]), x[0] * np.sin(x[1])])


def polar_jacobian(x):
    return np.array([[np.cos(x[1]), -x[0] * np.sin(x[1])], [np.sin(x[1]), x[0] * np.cos(x[1])]])


def test_jacobians():
    jacobian = polar_jacobian(POLAR)
    assert check_jacobian(polar, POLAR, jacobian).checked == 4
    assert check_jacobian(polar, POLAR, polar_jacobian)
    assert check_jacobian(polar, POLAR, jvp=lambda v: jacobian @ v)
    assert check_jacobian(polar, POLAR, vjp=lambda u: u @ jacobian)
    for mode in ("sample", "directions"):
        assert check_jacobian(polar, POLAR, vjp=lambda u: u @ jacobian, mode=mode)
        assert not check_jacobian(polar, POLAR, vjp=lambda u: jacobian @ u, mode=mode)
    jacobian[1, 0] += 1e-3
    report = check_jacobian(polar, POLAR, jacobian)
    assert report.verdict == "wrong" and report.worst.index == (1, 0) and report.wrong == 1
    # Values and points of any shape.
    matrix = lambda x: np.outer(x, x)  # noqa: E731
    full = np.einsum("ik,j->ijk", np.eye(3), [1.0, 2, 3]) + np.einsum("jk,i->ijk", np.eye(3), [1.0, 2, 3])
    assert check_jacobian(matrix, [1, 2, 3], full).checked == 27
    # A Hessian-vector product is the product of the gradient's Jacobian.
    hessian = np.array([[-np.sin(0.5) * -1.25, np.cos(0.5)], [np.cos(0.5), 6 * -1.25]])
    assert check_jacobian(gradient, AT, jvp=lambda v: hessian @ v)


def test_jacobians_that_are_refused():
    with pytest.raises(TypeError, match="expected one of jacobian, jvp and vjp, found none"):
        check_jacobian(polar, POLAR)
    with pytest.raises(TypeError, match="found jacobian and vjp"):
        check_jacobian(polar, POLAR, polar_jacobian, vjp=lambda u: u)
    with pytest.raises(ValueError, match=r"jacobian: expected the shape \(2, 2\), found \(2,\)"):
        check_jacobian(polar, POLAR, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"jvp: expected the shape \(2,\), found \(3,\)"):
        check_jacobian(polar, POLAR, jvp=lambda v: np.ones(3))
    raised = KeyError("mine")
    with pytest.raises(KeyError) as caught:
        check_jacobian(polar, POLAR, vjp=lambda u: (_ for _ in ()).throw(raised))
    assert caught.value is raised
