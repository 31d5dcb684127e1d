"""Models that the command trained: the whole pipeline from a frame's columns to labels, in one file."""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
from dataclasses import dataclass
from typing import Any, Iterable, Mapping

import numpy as np

from ._deltarule import DataSource, StoredModel, export_model, import_model
from ._files import _labels

__all__ = ["InputColumn", "Model"]


@dataclass(frozen=True)
class InputColumn:
    """A column that a model reads."""

    name: str
    kind: str
    """``number`` or ``category``."""
    categories: list[str] | None
    """Of a category, those seen in training."""
    position: int
    """Its place among the columns of the file that the model was trained on, from 0."""
    fills_missing: bool
    """Whether something stands for a missing value; otherwise one is an error."""


class Model:
    """A model of a file: ``Model.load(path)``; :func:`deltarule.load` gives an estimator where one saved it.

    Rows come in as

    - a pandas or polars frame, or a dictionary of columns: matched by name, in any order and among others (by place, if the model was
      trained on a file without a header line). Categories are texts, or numbers that stand for such a text; None and NaN are missing;
    - a two-dimensional array, matched by place: all columns of the training file, or the input columns alone. For a model of images,
      rows x height x width, grey values from 0 to 255;
    - the path of a file that the command would read: CSV, NPY or IDX.

    Errors name the row (from 0; in a file the line), the column and the value. Predictions are computed in the model's own precision and
    are the command's to the last bit.
    """

    _stored: StoredModel

    def __init__(self, stored: StoredModel) -> None:
        if not isinstance(stored, StoredModel):
            raise TypeError(f"expected what Model.load gives, found {type(stored).__name__}: a model is read by Model.load(path)")
        self._stored = stored
        self._described: dict[str, Any] = json.loads(stored.describe())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Model":
        """The model of a file.

        Raises :class:`deltarule.ModelFileError` for a file that is none, and OSError for one that cannot be read.
        """
        return cls(StoredModel.read(os.fspath(path)))

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Writes the model, whole or not at all; a file that exists is replaced with ``overwrite`` alone."""
        self._stored.save(os.fspath(path), overwrite)

    @classmethod
    def of(cls, estimator: Any) -> "Model":
        """The model of a fitted estimator of deltarule: what its ``save`` writes."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "estimator.safetensors")
            estimator.save(path)
            return cls.load(path)

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        *,
        activation: str | None = None,
        output_activation: str | None = None,
        columns: Iterable[str] = (),
        target: str | Iterable[str] = (),
        classes: Iterable[Any] = (),
    ) -> "Model":
        """Another program's network as a model that takes numbers as they are: ONNX, PyTorch's safetensors, or FANN's ``.net``.

        Parameters
        ----------
        path : path
            What kind of file it is, its content tells.
        activation, output_activation : str, optional
            Those of the hidden layers and of the last one where the file does not say: safetensors says neither; ONNX may end in sums
            that are to become probabilities.
        columns, target, classes : names, optional
            What the inputs, the targets and the classes are called. Inputs without names are matched by place.
        """
        targets = [target] if isinstance(target, str) else [str(name) for name in target]
        names = [str(name) for name in columns], targets, [str(name) for name in classes]
        return cls(import_model(os.fspath(path), activation, output_activation, *names))

    def export(
        self, path: str | os.PathLike[str], *, name: str | None = None, one_input: bool = False, overwrite: bool = False
    ) -> None:
        """Writes the model for other programs; the file's name says in which form.

        ``.onnx`` holds the whole pipeline for ONNX Runtime and others, with one input for each column, or one array ``x`` with
        ``one_input``. ``.c`` (C99) and ``.rs`` (``no_std``) are source files without dependencies that compute the model and can check
        themselves; ``name`` begins their functions' names (that of the file if it is an identifier, else ``model``). ``.safetensors`` holds the
        network as PyTorch's ``nn.Sequential`` names and lays out its tensors: :meth:`save` writes deltarule's own.

        A file that exists is replaced with ``overwrite`` alone.
        """
        path = pathlib.Path(path)
        forms = {".onnx": "onnx", ".c": "c", ".rs": "rust", ".safetensors": "torch"}
        if path.suffix not in forms:
            raise ValueError(f"path: expected a name that ends in {', '.join(forms)}, found {path.name!r}")
        if one_input and path.suffix != ".onnx":
            raise ValueError(f"one_input: expected an ONNX file to be written, found {path.name!r}")
        if name is None:
            name = path.stem if path.stem.isidentifier() and path.stem.isascii() else "model"
        export_model(self._stored, path, forms[path.suffix], name, one_input, overwrite)

    def __reduce__(self) -> Any:
        return _from_bytes, (self._stored.to_bytes(),)

    def __repr__(self) -> str:
        what = ", ".join(self.target_names)
        return f"<deltarule.Model: {what} ({self.task}), {self._described['parameters']} parameters, {self._described['dtype']}>"

    # -- what it is --------------------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """All that ``deltarule inspect --json`` shows: network, columns, target, loss, provenance, certificate."""
        return json.loads(self._stored.describe())

    @property
    def task(self) -> str:
        """``classification``, ``multilabel`` or ``regression``."""
        return {"classes": "classification", "labels": "multilabel"}.get(self._kind, "regression")

    @property
    def parameters_sha256(self) -> str:
        """The SHA-256 of the network's parameters, as the command prints it."""
        return self._described["parameters_sha256"]

    @property
    def columns(self) -> list[InputColumn]:
        """The columns that it reads; none of images."""
        columns = []
        for column in self._features()["columns"] if self._is_table else []:
            ((kind, details),) = column["kind"].items()
            filled = details["fill"] is not None
            columns.append(InputColumn(column["name"], kind, details.get("levels"), column["position"], filled))
        return columns

    @property
    def target_names(self) -> list[str]:
        """The names of what it predicts."""
        return [column["name"] for column in self._targets()]

    @property
    def classes_(self) -> Any:
        """The classes, in the order of :meth:`predict_proba`'s columns; of several labels, those of each."""
        if self._kind == "classes":
            return _labels(self._targets()[0]["labels"])
        if self._kind == "labels":
            return [_labels(column["labels"]) for column in self._targets()]
        raise AttributeError("classes_: the model predicts numbers")

    @property
    def _kind(self) -> str:
        (kind,) = self._described["target"]
        return kind

    def _targets(self) -> list[dict[str, Any]]:
        (target,) = self._described["target"].values()
        return target if isinstance(target, list) else [target]

    @property
    def _is_table(self) -> bool:
        return "table" in self._described["input"]

    def _features(self) -> dict[str, Any]:
        return self._described["input"]["table"]

    # -- what it says ------------------------------------------------------------------------------------------------------

    def predict(self, data: Any) -> np.ndarray:
        """The class of each row, or its number (of several, rows x numbers), in the targets' own units.

        Classes are texts, or numbers if all of them are; of several labels, rows x labels, each that of the more probable class.
        """
        values = self._stored.predict(self._source(data))
        if self._kind == "classes":
            return self.classes_[values.argmax(axis=1)]
        if self._kind == "labels":
            columns = [classes[(values[:, i] > 0.5).astype(int)] for i, classes in enumerate(self.classes_)]
            return np.stack(columns, axis=1)
        return values[:, 0] if self._kind == "number" else values

    def predict_proba(self, data: Any) -> np.ndarray:
        """The probability of each class: rows x classes; of several labels that of each label's second class: rows x labels."""
        if self._kind not in ("classes", "labels"):
            raise AttributeError("predict_proba: the model predicts numbers")
        if not self._stored.has_probabilities():
            raise AttributeError("predict_proba: the network ends in scores, which are no probabilities")
        return self._stored.predict(self._source(data))

    def evaluate(self, data: Any, y: Any = None, *, weight_column: str | None = None) -> dict[str, Any]:
        """The figures of rows whose targets are known: what ``deltarule evaluate --json`` prints, and the confusion matrix of classes.

        The targets are columns of ``data`` by their names, or ``y``: an array, a frame of several, or the path of an NPY or IDX file
        beside one. ``weight_column`` names the column that says how much each row counts.
        """
        text, confusion = self._stored.evaluate(self._source(data, y, True, weight_column))
        figures = json.loads(text)
        if figures["rows"] == 0:
            raise ValueError("data: expected rows to measure on, found none")
        if confusion is not None:
            figures["confusion_matrix"] = confusion[0]
        return figures

    # -- rows --------------------------------------------------------------------------------------------------------------

    def _source(self, data: Any, y: Any = None, with_targets: bool = False, weights: str | None = None) -> DataSource:
        targets = self.target_names if with_targets else []
        if isinstance(data, (str, os.PathLike)):
            if y is not None and not isinstance(y, (str, os.PathLike)):
                raise TypeError(f"y: expected the path of a file beside a file of rows, found {type(y).__name__}")
            is_beside = y is not None or not self._is_table
            return DataSource.file(os.fspath(data), None if y is None else os.fspath(y), [] if is_beside else targets, weights)
        if with_targets and y is not None:
            y = _named(y, targets)
        frame = _frame(data)
        if frame is not None:
            if not self._is_table:
                raise TypeError("data: expected images as an array of rows x height x width, found columns")
            return self._frame_source(frame, y, targets, weights)
        if weights is not None:
            raise TypeError("weight_column: expected rows with named columns, found an array")
        array = np.asarray(data.toarray() if hasattr(data, "toarray") else data)
        if not self._is_table:
            return DataSource.array(self._images(array), _labels_of_images(y) if with_targets else None)
        if array.ndim != 2:
            raise ValueError(f"data: expected two dimensions, rows x columns, found the shape {array.shape}")
        return self._array_source(array, y, targets)

    def _images(self, array: np.ndarray) -> np.ndarray:
        size = self._described["input"]["images"]
        height, width = size["height"], size["width"]
        if array.ndim == 2 and array.shape[1] == height * width:
            array = array.reshape(-1, height, width)
        if array.ndim != 3 or array.shape[1:] != (height, width):
            raise ValueError(f"data: expected images of {height} x {width} pixels, found the shape {array.shape}")
        return _numbers(array, "data")

    def _frame_source(self, frame: dict[str, Any], y: Any, targets: list[str], weights: str | None) -> DataSource:
        if not self._features()["header"]:
            # By place, whatever they are called.
            return self._by_place(list(frame.values()), y, targets)
        named = {column.name: column for column in self.columns}
        if y is not None:
            frame = {**frame, **y}
        wanted = [*named, *targets, *([] if weights is None else [weights])]
        # The others' values are not looked at; their names are part of a message about one that is not there.
        kept = {name: values for name, values in frame.items() if name in wanted}
        if all(name in kept for name in wanted):
            frame = kept
        levels = {name: column.categories for name, column in named.items()}
        levels |= {column["name"]: column.get("labels") for column in self._targets() if column["name"] in targets}
        columns = [_cells(values, levels.get(name), name) for name, values in frame.items()]
        return DataSource.table(list(frame), columns, targets, weights)

    def _array_source(self, array: np.ndarray, y: Any, targets: list[str]) -> DataSource:
        features, width = self._features(), array.shape[1]
        sizes = {len(features["columns"]), features["source_columns"]}
        if width not in sizes:
            expected = " or ".join(str(size) for size in sorted(sizes))
            raise ValueError(f"data: expected {expected} columns, found {width}")
        is_numeric = array.dtype.kind in "biuf" and all(column.kind == "number" for column in self.columns)
        if is_numeric and not targets:
            numbers = _numbers(array, "data")
            if np.isfinite(numbers).all():
                return DataSource.array(numbers, None)
        if not features["header"]:
            return self._by_place(list(array.T), y, targets)
        places = [column.position if width == features["source_columns"] else i for i, column in enumerate(self.columns)]
        frame = {column.name: array[:, place] for column, place in zip(self.columns, places)}
        if targets and y is None:
            raise ValueError(f"y: expected the targets {', '.join(targets)} beside an array, found none")
        return self._frame_source(frame, y, targets, None)

    def _by_place(self, columns: list[Any], y: Any, targets: list[str]) -> DataSource:
        """Rows for a model whose file had no header line: its columns are called by their numbers."""
        described, count = self.columns, self._features()["source_columns"]
        if len(columns) not in (len(described), count):
            raise ValueError(f"data: expected {len(described)} or {count} columns, found {len(columns)}")
        whole = len(columns) == count
        levels = {(c.position if whole else i): c.categories for i, c in enumerate(described)}
        cells = [_cells(values, levels.get(i), f"{i + 1}") for i, values in enumerate(columns)]
        if not targets:
            return DataSource.table(None, cells, [], None)
        has_place = all(name.isdigit() and 1 <= int(name) <= count for name in targets)
        if not has_place:
            # Trained on an array with its targets in another.
            if y is None:
                raise ValueError("y: expected the targets beside the rows, found none")
            stacked = np.stack([_numbers(np.asarray(values), f"column {i + 1}") for i, values in enumerate(columns)], axis=1)
            return DataSource.array(stacked, _numbers(np.asarray(y[targets[0]]), "y"))
        if y is None and not whole:
            raise ValueError(f"y: expected the targets beside rows of {len(columns)} columns, found none")
        full: list[Any] = [[""] * len(cells[0]) for _ in range(count)]
        for i, values in enumerate(cells):
            full[i if whole else described[i].position] = values
        for column in self._targets():
            if y is not None:
                full[int(column["name"]) - 1] = _cells(y[column["name"]], column.get("labels"), "y")
        return DataSource.table(None, full, targets, None)


def _from_bytes(data: bytes) -> Model:
    return Model(StoredModel(data, "pickle"))


# --------------------------------------------------------------------------------------------------------------------------- columns


def _frame(data: Any) -> dict[str, Any] | None:
    """Columns by name; None of what has none."""
    if isinstance(data, Mapping):
        names: Iterable[Any] = list(data)
        columns = list(data.values())
    elif hasattr(data, "columns") and hasattr(data, "__getitem__") and not isinstance(data, np.ndarray):
        names = list(data.columns)
        # By place where names repeat, which is refused below.
        columns = [data.iloc[:, i] for i in range(len(names))] if hasattr(data, "iloc") else [data[name] for name in names]
    else:
        return None
    texts = [str(name) for name in names]
    twice = [name for i, name in enumerate(texts) if name in texts[:i]]
    if twice:
        raise ValueError(f"data: expected each column once, found '{twice[0]}' twice")
    if not texts:
        raise ValueError("data: expected columns, found none")
    return dict(zip(texts, columns))


def _named(y: Any, targets: list[str]) -> dict[str, Any]:
    """Targets by name."""
    frame = _frame(y)
    if frame is not None:
        missing = [name for name in targets if name not in frame]
        if missing and len(frame) == len(targets):
            return dict(zip(targets, frame.values()))
        if missing:
            raise ValueError(f"y: expected the columns {', '.join(targets)}, found {', '.join(frame)}")
        return {name: frame[name] for name in targets}
    array = np.asarray(y)
    if array.ndim == 1 and len(targets) == 1:
        return {targets[0]: array}
    if array.ndim != 2 or array.shape[1] != len(targets):
        raise ValueError(f"y: expected rows x {len(targets)}, found the shape {array.shape}")
    return {name: array[:, i] for i, name in enumerate(targets)}


def _labels_of_images(y: Any) -> np.ndarray:
    if y is None:
        raise ValueError("y: expected the labels beside images, found none")
    (labels,) = y.values()
    return _numbers(np.asarray(labels), "y")


def _numbers(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype.kind not in "biufO":
        raise TypeError(f"{name}: expected numbers, found {array.dtype}")
    try:
        return np.require(array, np.float64, ["C", "A"])
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: expected numbers: {error}") from None


def _cells(values: Any, levels: list[str] | None, name: str) -> Any:
    """A column's cells as the model reads them: numbers, or texts that are empty where one is missing."""
    if levels is None:
        numbers = _as_numbers(values)
        if numbers is not None:
            return numbers
    column = values.to_list() if hasattr(values, "to_list") else values
    array = np.asarray(column, dtype=object)
    if array.ndim != 1:
        raise ValueError(f"column '{name}': expected one dimension, found the shape {array.shape}")
    spelt = _Spelling(levels)
    return [spelt(cell) for cell in array]


def _as_numbers(values: Any) -> np.ndarray | None:
    """A column of numbers, of which NaN is missing; None of anything else."""
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    try:
        if hasattr(values, "to_numpy") and not isinstance(values, np.ndarray):
            if kind is not None and kind in "biuf" and not isinstance(values.dtype, np.dtype):
                values = values.to_numpy(dtype=np.float64, na_value=np.nan)  # pandas' numbers with a mask
            else:
                values = values.to_numpy()
        array = np.asarray(values)
    except (TypeError, ValueError):
        return None
    return np.require(array, np.float64, ["C", "A"]) if array.dtype.kind in "biuf" and array.ndim == 1 else None


class _Spelling:
    """How a cell was spelt in the file that a model was trained on.

    A number stands for the category that reads as it (1 and 1.0 for "1"), a truth for "True", "true", "1" or the like.
    """

    def __init__(self, levels: list[str] | None) -> None:
        self.levels = set(levels or [])
        self.by_number: dict[float, str] = {}
        for level in levels or []:
            try:
                self.by_number.setdefault(float(level), level)
            except ValueError:
                pass

    def __call__(self, cell: Any) -> str:
        if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
            return ""
        if isinstance(cell, str):
            return cell
        if isinstance(cell, (bool, np.bool_)):
            text = str(bool(cell))
            known = [level for level in (text, text.lower(), text.upper()) if level in self.levels]
            return known[0] if known else self.by_number.get(float(cell), text if self.levels else str(int(cell)))
        if isinstance(cell, (int, float, np.integer, np.floating)):
            number = float(cell)
            if number != number:
                return ""
            whole = str(int(number)) if number.is_integer() else repr(number)
            return self.by_number.get(number, whole)
        return str(cell)
