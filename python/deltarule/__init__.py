"""deltarule: dense neural networks on a CPU, as scikit-learn estimators, with verified gradients and reproducible bits.

>>> from deltarule import MLPClassifier
>>> model = MLPClassifier((8,), solver="lbfgs", random_state=0).fit([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])
>>> model.predict([[0.0, 1.0], [1.0, 1.0]]).tolist()
[1, 0]
"""

from . import _deltarule, activations
from ._deltarule import DivergenceError, GradientError, ModelFileError, __version__
from ._files import load
from ._gradcheck import GradientEntry, GradientReport, TensorReport, check_jacobian, gradcheck
from ._linear import LinearRegression, LogisticRegression, Perceptron
from ._mlp import MLPClassifier, MLPRegressor
from ._model import InputColumn, Model

__all__ = [
    "DivergenceError",
    "GradientEntry",
    "GradientError",
    "GradientReport",
    "InputColumn",
    "LinearRegression",
    "LogisticRegression",
    "MLPClassifier",
    "MLPRegressor",
    "Model",
    "ModelFileError",
    "Perceptron",
    "TensorReport",
    "__version__",
    "activations",
    "check_jacobian",
    "gradcheck",
    "info",
    "load",
]


def info() -> dict[str, str]:
    """What computes here: the version, and the instruction set that the kernels use (forced by ``DELTARULE_ISA``)."""
    isa, version = _deltarule.info()
    return {"version": version, "isa": isa}
