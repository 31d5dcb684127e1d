"""The engine: what the modules beside it call. Nothing here is for users; its functions may change with any version."""

import os
from typing import Any, Callable, final

import numpy as np
import numpy.typing as npt

__all__ = [
    "DataSource",
    "DivergenceError",
    "GradientError",
    "ModelFileError",
    "Network",
    "StoredModel",
    "__version__",
    "activate",
    "activate_rows",
    "activate_rows_backward",
    "export_model",
    "gradcheck",
    "describe",
    "hold_back",
    "import_model",
    "info",
    "jacobian_check",
    "log_sum_exp",
    "read_network",
    "smooth_labels",
]

__version__: str

class DivergenceError(ValueError):
    """A training ran away: the message names epoch, batch, layer and value."""

class ModelFileError(ValueError):
    """A file that is no usable model; the message says why."""

class GradientError(AssertionError):
    """A gradient is wrong; the message names the worst entry."""

# A layer: units, activation, whether it has biases, norm.
_Layer = tuple[int, str, bool, str]
_Float = npt.NDArray[np.float32] | npt.NDArray[np.float64]
# Rows: an array, or data, indices, indptr and columns of a sparse one.
_Rows = _Float | tuple[_Float, npt.NDArray[np.int64], npt.NDArray[np.int64], int]
_Path = str | os.PathLike[str]

@final
class Network:
    def __new__(
        cls, inputs: int, layers: list[_Layer], init: str | None, seed: int, dtype: str, means: list[float]
    ) -> Network: ...
    @property
    def dtype(self) -> str: ...
    @property
    def parameters(self) -> int: ...
    def describe(self) -> tuple[int, list[_Layer]]: ...
    def weights(self, layer: int) -> Any: ...
    def bias(self, layer: int) -> Any: ...
    def set_params(self, params: _Float) -> None: ...
    def sha256(self) -> str: ...
    def predict(self, x: _Rows, threads: int, check: bool) -> Any: ...
    def forget(self) -> None: ...
    def fit(
        self,
        x: _Rows,
        y: _Float,
        weights: _Float | None,
        settings: dict[str, Any],
        validation: tuple[_Rows, _Float, _Float | None] | None = None,
        callback: Callable[..., Any] | None = None,
        goes_on: bool = False,
    ) -> tuple[Any, BaseException | None]: ...
    def save(
        self,
        path: _Path,
        overwrite: bool,
        columns: list[str] | None,
        kind: str,
        names: list[str],
        loss: str,
        provenance: dict[str, str],
    ) -> None: ...
    def __getstate__(self) -> dict[str, Any]: ...
    def __setstate__(self, state: dict[str, Any]) -> None: ...
    def __getnewargs__(self) -> tuple[Any, ...]: ...

def describe(inputs: int, layers: list[_Layer]) -> tuple[int, list[_Layer]]: ...
def hold_back(
    rows: int, classes: list[int] | npt.NDArray[np.intp] | None, labels: list[str], share: float, seed: int
) -> tuple[list[int], list[int]]: ...
def smooth_labels(y: _Float, share: float) -> None: ...
def read_network(path: _Path) -> tuple[Network, str, list[str], str, list[str] | None, str] | None: ...
def info() -> tuple[str, str]: ...

# -- activations

def activate(name: str, constant: float | None, x: _Float | None, y: _Float, slope: _Float | None = None) -> None: ...
def activate_rows(name: str, z: _Float, columns: int) -> None: ...
def activate_rows_backward(name: str, y: _Float, delta: _Float, columns: int) -> None: ...
def log_sum_exp(x: _Float, columns: int, out: _Float) -> None: ...

# -- gradient checks

_Found = tuple[dict[str, Any], str, str | None]

def gradcheck(
    f: Callable[[npt.NDArray[np.float64]], float],
    grad: npt.NDArray[np.float64],
    at: npt.NDArray[np.float64],
    crossed: Callable[[npt.NDArray[np.float64]], bool] | None,
    name: Callable[[int], str],
    asked: dict[str, Any],
) -> _Found: ...
def jacobian_check(
    f: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    product: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    right: bool,
    at: npt.NDArray[np.float64],
    asked: dict[str, Any],
) -> _Found: ...

# -- models

@final
class DataSource:
    @staticmethod
    def file(path: _Path, labels: _Path | None, targets: list[str], weights: str | None) -> DataSource: ...
    @staticmethod
    def table(
        names: list[str] | None, columns: list[npt.NDArray[np.float64] | list[str]], targets: list[str], weights: str | None
    ) -> DataSource: ...
    @staticmethod
    def array(rows: npt.NDArray[np.float64], targets: npt.NDArray[np.float64] | None) -> DataSource: ...

@final
class StoredModel:
    def __new__(cls, bytes: bytes, path: _Path) -> StoredModel: ...
    @staticmethod
    def read(path: _Path) -> StoredModel: ...
    def save(self, path: _Path, overwrite: bool) -> None: ...
    def to_bytes(self) -> bytes: ...
    def describe(self) -> str: ...
    def has_probabilities(self) -> bool: ...
    def predict(self, data: DataSource) -> npt.NDArray[np.float64]: ...
    def evaluate(self, data: DataSource) -> tuple[str, tuple[npt.NDArray[np.float64], str] | None]: ...

def export_model(model: StoredModel, path: _Path, form: str, name: str, one_input: bool, overwrite: bool) -> None: ...
def import_model(
    path: _Path, hidden: str | None, output: str | None, columns: list[str], targets: list[str], labels: list[str]
) -> StoredModel: ...
